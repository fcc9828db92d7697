import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { CodedError, type DevicePrincipal, type LinkMessage } from '#contracts';
import type { Unsubscribe } from '#messaging';
import { DeviceAccess, isRefusal } from '../../authorise/device-access.ts';
import type { DeviceLink } from '../device-link.ts';
import { DeviceLinks } from '../device-links.ts';
import { REASON } from './reason-codes.ts';
import type { Acknowledgement, MqttLink, Published } from './topic-handler.ts';

/** How long the other side's replica may take to say that the message was passed on, in ms. */
const ANSWER_MS = 1_000;
/** Bytes of a message that is passed on: between replicas it is half as long again. */
const MOST_BYTES = 262_144;

/**
 * Passes on what a master and its agents say to each other on `device/{id}/master`, as it is, to whichever replica the other one is linked
 * to. Nothing is kept: who is not there does not get it.
 */
@Injectable()
export class Relay implements OnApplicationShutdown {
  private readonly unanswered = new Map<string, () => void>();
  private readonly unsubscribe: Unsubscribe;

  constructor(
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(DeviceAccess) private readonly access: DeviceAccess,
  ) {
    this.unsubscribe = links.listen({
      message: (link, message) => {
        this.hear(link, message);
      },
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  /** Are these two each other's master and agent? Throws `UNAVAILABLE` while nobody can tell. */
  async isPair(principal: DevicePrincipal, otherId: string): Promise<boolean> {
    const { device } = principal;
    if (device.masterId === otherId) return true;
    if (device.kind !== 'master') return false;
    try {
      return (await this.access.authorise(principal, otherId, 'read')).masterId === device.id;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  /** Takes what a device published on `device/{other's id}/master`. */
  async take(link: MqttLink, { topic, levels, payload }: Published): Promise<Acknowledgement | void> {
    const [otherId = ''] = levels;
    const { principal } = link;
    if (otherId === principal.device.id || !(await this.isPair(principal, otherId)))
      throw new CodedError(
        'TOPIC_NOT_ALLOWED',
        'Only a master and its agent may write to each other: publish on the id of the other one.',
      );
    if (payload.length > MOST_BYTES)
      throw new CodedError('BAD_PAYLOAD', `A message to a master or agent has at most ${String(MOST_BYTES)} bytes.`);
    const wasHeard = await this.pass(principal.device.id, otherId, topic, payload);
    return wasHeard ? undefined : { reasonCode: REASON.noMatchingSubscribers };
  }

  /** False if nobody has said that the message was passed on: most likely the other one is not there. */
  private pass(from: string, to: string, topic: string, payload: Buffer): Promise<boolean> {
    const id = randomUUID();
    return new Promise((resolve) => {
      const answer = (wasHeard: boolean): void => {
        clearTimeout(timer);
        this.unanswered.delete(id);
        resolve(wasHeard);
      };
      const timer = setTimeout(answer, ANSWER_MS, false).unref();
      this.unanswered.set(id, () => {
        answer(true);
      });
      this.links.tell(to, { type: 'relay', id, from, topic, payload: payload.toString('base64') });
    });
  }

  private hear(link: DeviceLink, message: LinkMessage): void {
    if (message.type === 'relayed') this.unanswered.get(message.id)?.();
    if (message.type !== 'relay') return;
    const wasTaken = link.relay?.(message.from, message.topic, Buffer.from(message.payload, 'base64')) ?? false;
    if (wasTaken) this.links.tell(message.from, { type: 'relayed', id: message.id });
  }
}
