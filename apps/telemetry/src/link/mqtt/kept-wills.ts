import { LinkMessage, linkSubject } from '#contracts';
import type { Bus } from '#messaging';
import type { WillNote } from './will.ts';

/** Longest delay of a will, in seconds. */
const MOST_DELAY_SECONDS = 86_400;

/** Wills of links that were lost and that wait for their delay: a device that is back before takes its will back [MQTT-3.1.3-9]. */
export class KeptWills {
  private readonly cancels = new Set<() => void>();

  constructor(
    private readonly bus: Pick<Bus, 'subscribe'>,
    private readonly note: (deviceId: string, will: WillNote) => void,
  ) {}

  keep(deviceId: string, will: WillNote, delaySeconds: number): void {
    if (delaySeconds <= 0) {
      this.note(deviceId, will);
      return;
    }
    const cancel = (): void => {
      clearTimeout(timer);
      unsubscribe();
      this.cancels.delete(cancel);
    };
    const timer = setTimeout(
      () => {
        cancel();
        this.note(deviceId, will);
      },
      Math.min(delaySeconds, MOST_DELAY_SECONDS) * 1_000,
    ).unref();
    const unsubscribe = this.bus.subscribe(linkSubject(deviceId), (text) => {
      if (LinkMessage.parse(JSON.parse(text)).type === 'opened') cancel();
    });
    this.cancels.add(cancel);
  }

  stop(): void {
    for (const cancel of this.cancels) cancel();
  }
}
