import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, LessThanOrEqual } from 'typeorm';
import { Events } from '#messaging';
import { CLOCK, LOGGER, type Clock, type Log } from '#platform';
import { REGISTRY } from '../data-source-name.ts';
import { CredentialEntity } from './credential.entity.ts';

/** How often credentials whose time has come are looked for, in ms: so soon after it their connections end. */
const EVERY_MS = 1_000;
/** Most that are ended in one go. */
const AT_ONCE = 500;

/** Ends the credentials whose overlap is over: deletes them and tells those who hold their connections. */
@Injectable()
export class EndedCredentials implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> | undefined;
  private failing = false;

  constructor(
    @InjectDataSource(REGISTRY) private readonly dataSource: DataSource,
    @Inject(Events) private readonly events: Events,
    @Inject(LOGGER) private readonly log: Log,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.sweeping ??= this.sweep().finally(() => {
        this.sweeping = undefined;
      });
    }, EVERY_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.sweeping;
  }

  private async sweep(): Promise<void> {
    try {
      await this.endThoseDue();
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.log.warn({ err: error }, 'ended credentials could not be looked for; trying again');
      this.failing = true;
    }
  }

  private async endThoseDue(): Promise<void> {
    const { manager } = this.dataSource;
    const due = await manager.find(CredentialEntity, {
      where: { expiresAt: LessThanOrEqual(new Date(this.now())) },
      take: AT_ONCE,
    });
    for (const { id, deviceId } of due) {
      const { affected } = await manager.delete(CredentialEntity, { id });
      if (affected === 1) this.events.publish('registry.credentials.revoked', { deviceId, credentialId: id });
    }
  }
}
