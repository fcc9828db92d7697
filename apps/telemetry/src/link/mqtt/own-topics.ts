import { CodedError } from '#contracts';
import type { MqttLink, Published, TopicHandler } from './topic-handler.ts';

/** Longest text on a ping topic, in bytes. */
const MOST_BYTES = 1_024;

/**
 * Commands of devices on `device/{id}/ping`: `{"c":"PING"}` is answered with `{"c":"PONG"}` on the topic as the device spelled it. A
 * device that publishes PONG itself is not answered; anything else is an error, and said to be.
 */
export const answerPing: TopicHandler = (link: MqttLink, { topic, payload }: Published) => {
  const command = commandOf(payload);
  if (command === 'PING') reply(link, topic, 'PONG');
  else if (command !== 'PONG') reply(link, topic, 'ERROR');
  return Promise.resolve();
};

function reply(link: MqttLink, topic: string, c: string): void {
  // Nobody waits for the device to have it: if the link ends before, there is nobody left to tell.
  link.send(topic, JSON.stringify({ c })).catch(() => undefined);
}

function commandOf(payload: Buffer): unknown {
  if (payload.length > MOST_BYTES) throw new CodedError('BAD_PAYLOAD', 'A command has at most 1,024 bytes.');
  try {
    const parsed: unknown = JSON.parse(payload.toString());
    return typeof parsed === 'object' && parsed !== null && 'c' in parsed ? parsed.c : undefined;
  } catch {
    return undefined;
  }
}
