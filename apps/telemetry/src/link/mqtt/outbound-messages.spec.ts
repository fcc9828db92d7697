import { beforeEach, describe, expect, it } from '@jest/globals';
import { CodedError } from '#contracts';
import { OutboundMessages } from './outbound-messages.ts';
import { decodePublish } from './packet-codec.ts';

describe('messages to a device', () => {
  let written: { topic: string; text: string; packetId: number; qos: number }[];
  let overflows: number;
  let outbound: OutboundMessages;

  const start = (receiveMaximum: number, maximumPacketSize = 1_000): OutboundMessages =>
    new OutboundMessages(
      { version: 5, receiveMaximum, maximumPacketSize },
      (bytes) => {
        const { topic, text, packetId, qos } = decodePublish(bytes, 0, bytes.length, 5);
        written.push({ topic, text, packetId, qos });
      },
      () => {
        overflows += 1;
      },
    );

  beforeEach(() => {
    written = [];
    overflows = 0;
    outbound = start(2);
  });

  it('are there once the device has said so', async () => {
    const sent = outbound.send('t', 'one', 1);
    expect(written).toEqual([{ topic: 't', text: 'one', packetId: 1, qos: 1 }]);
    expect(outbound.acknowledge(7, 0)).toBe(false);
    expect(outbound.acknowledge(1, 0)).toBe(true);
    await sent;
  });

  it('of QoS 0 are there once they are written', async () => {
    await outbound.send('t', 'one', 0);
    expect(written).toEqual([{ topic: 't', text: 'one', packetId: 0, qos: 0 }]);
  });

  it('wait while as many are on their way as the device takes', async () => {
    const sent = ['one', 'two', 'three'].map((text) => outbound.send('t', text, 1));
    expect(written.map(({ text }) => text)).toEqual(['one', 'two']);
    outbound.acknowledge(2, 0);
    expect(written.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    outbound.acknowledge(1, 0);
    outbound.acknowledge(3, 0);
    await Promise.all(sent);
  });

  it('that the device refuses, that are too large for it, or whose link ends, fail', async () => {
    const refused = outbound.send('t', 'one', 1);
    outbound.acknowledge(1, 0x99);
    await expect(refused).rejects.toMatchObject({ code: 'BAD_PAYLOAD' });
    await expect(outbound.send('t', 'x'.repeat(1_000), 1)).rejects.toMatchObject({ code: 'PACKET_TOO_LARGE' });
    const lost = outbound.send('t', 'two', 1);
    outbound.end(new CodedError('DEVICE_OFFLINE', 'gone'));
    await expect(lost).rejects.toMatchObject({ code: 'DEVICE_OFFLINE' });
    await expect(outbound.send('t', 'three', 0)).rejects.toMatchObject({ code: 'DEVICE_OFFLINE' });
  });

  it('that a device lets wait without end are too many', () => {
    for (let count = 0; count < 1_002; count += 1) outbound.send('t', 'x', 1).catch(() => undefined);
    expect(overflows).toBe(0);
    outbound.send('t', 'x', 1).catch(() => undefined);
    expect(overflows).toBe(1);
    outbound.end(new CodedError('DEVICE_OFFLINE', 'gone'));
  });
});
