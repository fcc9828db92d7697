import { hostname } from 'node:os';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ReplicaMessage, replicaSubject } from '#contracts';
import { BUS, type Bus, type Unsubscribe } from '#messaging';
import { uuid7 } from '#platform';

/** This replica among those that devices are linked to; another one at each start. */
@Injectable()
export class Replica implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly id: string = uuid7();
  /** What people know it by. */
  readonly name: string = `${hostname()}-${String(process.pid)}`;
  private readonly listeners = new Set<(message: ReplicaMessage) => void>();
  private unsubscribe: Unsubscribe = () => undefined;

  constructor(@Inject(BUS) private readonly bus: Bus) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.bus.subscribe(replicaSubject(this.id), (text) => {
      this.hear(ReplicaMessage.parse(JSON.parse(text)));
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  listen(hear: (message: ReplicaMessage) => void): Unsubscribe {
    this.listeners.add(hear);
    return () => this.listeners.delete(hear);
  }

  /** Says something to a replica, this one or another; who is away does not hear it. */
  tell(replicaId: string, message: ReplicaMessage): void {
    if (replicaId === this.id) this.hear(message);
    else this.bus.publish(replicaSubject(replicaId), JSON.stringify(message));
  }

  private hear(message: ReplicaMessage): void {
    for (const hear of this.listeners) hear(message);
  }
}
