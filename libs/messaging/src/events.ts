import { Inject, Injectable } from '@nestjs/common';
import { EVENTS, type EventPayload, type EventSubject } from '#contracts';
import { LOGGER, type Log } from '#platform';
import { BUS, type Bus, type Unsubscribe } from './bus.ts';

/** The events of the contracts over the bus: every replica of every service hears each one, at most once. */
@Injectable()
export class Events {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(LOGGER) private readonly log: Log,
  ) {}

  publish<S extends EventSubject>(subject: S, payload: EventPayload<S>): void {
    this.bus.publish(subject, JSON.stringify(EVENTS[subject].parse(payload)));
  }

  /** A payload that does not fit its contract is logged and left out. */
  on<S extends EventSubject>(subject: S, hear: (payload: EventPayload<S>) => void): Unsubscribe {
    return this.bus.subscribe(subject, (text) => {
      const payload = EVENTS[subject].safeParse(JSON.parse(text));
      if (payload.success) hear(payload.data as EventPayload<S>);
      else this.log.error({ err: payload.error, subject }, 'an event does not fit its contract');
    });
  }
}
