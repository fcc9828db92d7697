import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { BUS, type Bus, type Unsubscribe } from '#messaging';

/** Subject on which replicas tell each other that rollouts have begun or changed. */
const SUBJECT = 'rollouts-changed';

/** Wakes those who work on rollouts, on every replica; who does not hear it looks again after a while. */
@Injectable()
export class RolloutWaker implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly listeners = new Set<() => void>();
  private unsubscribe: Unsubscribe = () => undefined;

  constructor(@Inject(BUS) private readonly bus: Bus) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.bus.subscribe(SUBJECT, () => {
      for (const hear of this.listeners) hear();
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  wake(): void {
    this.bus.publish(SUBJECT, '{}');
  }

  listen(hear: () => void): Unsubscribe {
    this.listeners.add(hear);
    return () => this.listeners.delete(hear);
  }
}
