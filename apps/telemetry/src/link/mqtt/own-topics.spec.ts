import { expect, it } from '@jest/globals';
import { answerPing } from './own-topics.ts';
import type { MqttLink, Published } from './topic-handler.ts';

async function answersTo(text: string): Promise<string[]> {
  const sent: string[] = [];
  const link = {
    send: (topic: string, payload: Buffer | string) => {
      sent.push(`${topic} ${payload.toString()}`);
      return Promise.resolve();
    },
  } as Partial<MqttLink> as MqttLink;
  const message: Published = {
    topic: '/device/me/ping',
    levels: ['me'],
    payload: Buffer.from(text),
    text,
    qos: 0,
    userProperties: {},
  };
  await answerPing(link, message);
  return sent;
}

it.each([
  ['{"c":"PING"}', ['/device/me/ping {"c":"PONG"}']],
  ['{"c":"PONG"}', []],
  ['{"c":"REBOOT"}', ['/device/me/ping {"c":"ERROR"}']],
  ['nonsense', ['/device/me/ping {"c":"ERROR"}']],
  ['null', ['/device/me/ping {"c":"ERROR"}']],
  ['', ['/device/me/ping {"c":"ERROR"}']],
])('%s on the ping topic is answered with %j', async (text, answers) => {
  expect(await answersTo(text)).toEqual(answers);
});
