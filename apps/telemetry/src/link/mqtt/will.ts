import { isUtf8 } from 'node:buffer';
import type { IConnectPacket } from 'mqtt-packet';
import { CodedError, type DevicePrincipal } from '#contracts';
import { findTopic, isAllowed } from './topics.ts';

/** A will as the connection record has it. */
export interface WillNote {
  kind: 'will';
  reason: string;
  topic: string;
  payload: string;
}

/** What a client leaves behind if its link is lost. */
export interface Will {
  topic: string;
  payload: string;
  delaySeconds: number;
}

/** Characters of a will that are kept. */
const MOST_CHARS = 4_096;

/**
 * The will of a CONNECT. It goes to nobody but the device's own connection record and its viewers, so its topic says nothing but what the
 * device means by it: it may be any that the device may publish on, or `device/{id}/will`. Throws `TOPIC_NOT_ALLOWED`.
 */
export function willOf({ will }: Pick<IConnectPacket, 'will'>, principal: DevicePrincipal): Will | undefined {
  if (!will) return undefined;
  if (!isOwn(will.topic, principal)) {
    throw new CodedError(
      'TOPIC_NOT_ALLOWED',
      'The topic of the will is not one of this device: use device/me/will, or one that it may publish on.',
    );
  }
  return {
    topic: will.topic,
    payload: textOf(will.payload).slice(0, MOST_CHARS),
    delaySeconds: will.properties?.willDelayInterval ?? 0,
  };
}

function isOwn(topic: string, principal: DevicePrincipal): boolean {
  const { id } = principal.device;
  if (/^\/?device\/(?:me|[0-9a-f-]{36})\/will$/.test(topic)) return topic.includes('/me/') || topic.includes(id);
  const found = findTopic(topic);
  return found !== undefined && found.rule.publish !== 'pair' && isAllowed(found.rule.publish, found, principal);
}

const textOf = (payload: Buffer | string): string => {
  if (typeof payload === 'string') return payload;
  return isUtf8(payload) ? payload.toString() : payload.toString('base64');
};
