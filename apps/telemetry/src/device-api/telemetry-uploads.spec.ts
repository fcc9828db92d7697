import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { CodedError, type DevicePrincipal, type DeviceRef, type Receipt } from '#contracts';
import type { Firmware } from '../firmware/firmware.service.ts';
import type { IngestLimits } from '../ingest/ingest-limits.ts';
import type { Ingest } from '../ingest/ingest.ts';
import type { Published } from '../link/mqtt/topic-handler.ts';
import { parseTelemetry } from './telemetry-payload.ts';
import { TelemetryUploads } from './telemetry-uploads.ts';
import { batchIdOf, uploadAcknowledgement } from './upload-acknowledgement.ts';

const deviceOf = (id: string): DeviceRef => ({
  id,
  name: `name of ${id}`,
  kind: 'direct',
  customerId: null,
  ownerId: null,
  masterId: null,
  profileId: null,
  state: 'active',
});
const principal: DevicePrincipal = { kind: 'device', credentialId: 'c', device: deviceOf('gateway'), expiresAt: null };
const message = (userProperties: Published['userProperties'] = {}): Published => ({
  topic: 't',
  levels: [],
  payload: Buffer.alloc(0),
  text: '',
  qos: 1,
  userProperties,
});

describe('telemetry of the device API', () => {
  let accepted: { device: string; readings: number; batchId: unknown }[];
  let accept: (readings: unknown[]) => Promise<Receipt>;
  let reported: unknown[];
  let refusals: unknown[];
  let uploads: TelemetryUploads;

  beforeEach(() => {
    accepted = [];
    reported = [];
    refusals = [];
    accept = (readings) => Promise.resolve({ ok: true, batchId: 'b', accepted: readings.length, rejected: [] });
    const ingest = {
      accept: (by: DevicePrincipal, readings: unknown[], batchId: unknown) => {
        accepted.push({ device: by.device.id, readings: readings.length, batchId });
        return accept(readings);
      },
    };
    uploads = new TelemetryUploads(
      ingest as unknown as Ingest,
      { countRefusal: (thrown: unknown) => refusals.push(thrown) } as unknown as IngestLimits,
      { reported: (device: DeviceRef, values: unknown) => reported.push([device.id, values]) } as unknown as Firmware,
    );
  });

  const upload = (id: string, document: unknown) => ({ device: deviceOf(id), telemetry: parseTelemetry(document) });

  test('is taken in batches of a thousand, each under its device and the same batch id', async () => {
    const many = Array.from({ length: 2_500 }, (_, index) => ({ a: index }));
    const receipt = await uploads.accept(principal, [upload('x', many), upload('y', { b: 1 }), upload('z', {})], 'id');
    expect(accepted).toEqual([
      { device: 'x', readings: 1_000, batchId: 'id' },
      { device: 'x', readings: 1_000, batchId: 'id' },
      { device: 'x', readings: 500, batchId: 'id' },
      { device: 'y', readings: 1, batchId: 'id' },
    ]);
    expect(receipt).toEqual({ accepted: 2_501, rejected: [] });
  });

  test('names what was rejected by its device and the key that it sent', async () => {
    accept = () =>
      Promise.resolve({
        ok: true,
        batchId: 'b',
        accepted: 0,
        rejected: [{ index: 1, code: 'BAD_VALUE', message: 'no' }],
      });
    const { rejected } = await uploads.accept(principal, [upload('x', { a: 1, 'CPU %': 2 })]);
    expect(rejected).toEqual([{ device: 'name of x', key: 'CPU %', code: 'BAD_VALUE', message: 'no' }]);
  });

  test('that cannot be had just now fails once nothing of it is on its way any more', async () => {
    const busy = new CodedError('BUSY', 'later', { retryAfterMs: 5 });
    let arrive: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (arrive = resolve));
    accept = async (readings) => {
      if (readings.length === 1_000) throw busy;
      await slow;
      return { ok: true, batchId: 'b', accepted: readings.length, rejected: [] };
    };
    const many = Array.from({ length: 1_001 }, () => ({ a: 1, fw_state: 'UPDATED' }));
    const failed = jest.fn();
    const attempt = uploads.accept(principal, [upload('x', many)]).catch(failed);
    await new Promise((resolve) => setImmediate(resolve));
    expect(failed).not.toHaveBeenCalled();
    arrive();
    await attempt;
    expect(failed).toHaveBeenCalledWith(busy);
    expect(refusals).toContain(busy);
    expect(reported).toEqual([]);
  });

  test('tells of firmware what it says of it', async () => {
    await uploads.accept(principal, [upload('x', { fw_state: 'UPDATED', a: 1 })]);
    expect(reported).toEqual([['x', { fw_state: 'UPDATED' }]]);
  });
});

describe('the acknowledgement of telemetry', () => {
  const rejection = { device: 'd', key: 'k', code: 'BAD_VALUE', message: 'm' } as const;

  test('says nothing where all was kept', () => {
    expect(uploadAcknowledgement({ accepted: 3, rejected: [] })).toBeUndefined();
  });

  test('is a receipt where something was not, and a refusal where nothing was', () => {
    const some = uploadAcknowledgement({ accepted: 1, rejected: [rejection] });
    expect(some?.reasonCode).toBeUndefined();
    expect(JSON.parse(some?.userProperties?.['receipt'] ?? '')).toMatchObject({ accepted: 1, rejected: [rejection] });
    expect(uploadAcknowledgement({ accepted: 0, rejected: [rejection] })?.reasonCode).toBe(0x99);
  });

  test('says how many were rejected when there are too many to name', () => {
    const many = { ...rejection, key: '🌡'.repeat(100_000), message: 'm'.repeat(200) };
    const rejected = Array.from({ length: 1_000 }, () => many);
    const text = uploadAcknowledgement({ accepted: 1, rejected })?.userProperties?.['receipt'] ?? '';
    expect(Buffer.byteLength(text)).toBeLessThan(65_536);
    expect(JSON.parse(text)).toMatchObject({ rejectedInAll: 1_000 });
  });
});

describe('the batch id of a message', () => {
  test('is what its sender says', () => {
    expect(batchIdOf(message({ batchId: 'mine' }), 5_000)).toBe('mine');
  });

  test('is ours for more than a batch, and the same when it is tried again', () => {
    const large = message();
    const id = batchIdOf(large, 1_001);
    expect(id).toMatch(/^[\x21-\x7e]{1,64}$/);
    expect(batchIdOf(large, 1_001)).toBe(id);
    expect(batchIdOf(message(), 1_001)).not.toBe(id);
    expect(batchIdOf(message(), 1_000)).toBeUndefined();
  });
});
