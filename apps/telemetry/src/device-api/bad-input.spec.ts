import { expect, test } from '@jest/globals';
import { CodedError } from '#contracts';
import { byDevice, parseAttributeRequest, parseChildAttributeRequest } from './attribute-payloads.ts';
import { parseChunkRequest } from './chunk-request.ts';
import { parseClaim } from './claim-payload.ts';
import { jsonOf, objectOf, payloadOf } from './payload.ts';
import { parseProvisioning } from './provisioning-payload.ts';
import { answerOf, methodOf, outcomeOf } from './rpc-payloads.ts';
import { parseTelemetry } from './telemetry-payload.ts';

const PARSERS: [string, (document: unknown) => unknown][] = [
  ['telemetry', parseTelemetry],
  ['attributes', (document) => objectOf(document, 'Attributes')],
  ['a request for attributes', parseAttributeRequest],
  ['a request of a gateway for attributes', parseChildAttributeRequest],
  ['a message of a gateway', (document) => byDevice(document, 'Telemetry').map(([, items]) => parseTelemetry(items))],
  ['a claim', parseClaim],
  ['a call', methodOf],
  ['an answer', outcomeOf],
  ['a request for provisioning', (document) => parseProvisioning(document, '10.0.0.1')],
];

/** Names and values that documents of the device API have, and what else there is. */
const NAMES = [
  'ts',
  'values',
  'device',
  'id',
  'key',
  'keys',
  'client',
  'data',
  'method',
  'params',
  'secretKey',
  'durationMs',
  'clientKeys',
  'sharedKeys',
  'error',
  'deviceName',
  'provisionDeviceKey',
  'provisionDeviceSecret',
  'credentialsType',
  '__proto__',
  'constructor',
  '',
  'x',
];
const VALUES = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  1_700_000_000_000,
  '',
  'a',
  '12',
  'a,b',
  '\ud800',
  '\0',
  'x'.repeat(300),
];

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
function chances(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function documentOf(chance: () => number, depth: number): unknown {
  const pick = <T>(of: readonly T[]): T | undefined => of[Math.floor(chance() * of.length)];
  const kind = depth > 3 ? 0 : chance();
  if (kind < 0.4) return pick(VALUES);
  const members = Array.from({ length: Math.floor(chance() * 4) }, () => documentOf(chance, depth + 1));
  return kind < 0.6 ? members : Object.fromEntries(members.map((member) => [pick(NAMES), member]));
}

test.each(PARSERS)('whatever comes as %s is read or refused as a bad payload', (_, parse) => {
  const chance = chances(1);
  for (let round = 0; round < 5_000; round += 1) {
    const document = documentOf(chance, 0);
    try {
      parse(document);
    } catch (thrown) {
      if (!(thrown instanceof CodedError) || thrown.code !== 'BAD_PAYLOAD') throw thrown;
    }
  }
});

test('whatever bytes come, they are JSON or refused as a bad payload', () => {
  const chance = chances(2);
  for (let round = 0; round < 5_000; round += 1) {
    const message = payloadOf(
      Buffer.from(Array.from({ length: Math.floor(chance() * 12) }, () => Math.floor(chance() * 256))),
    );
    expect(() => answerOf(message)).not.toThrow();
    try {
      jsonOf(message);
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: 'BAD_PAYLOAD' });
    }
  }
});

test.each([
  ['v2/fw/request/1/chunk/2', ['1', '2'], '512', { kind: 'firmware', request: '1', chunk: 2, size: 512 }],
  ['v2/sw/request/a/chunk/0', ['a', '0'], '', { kind: 'software', request: 'a', chunk: 0, size: 0 }],
])('%s asks for a chunk', (topic, levels, payload, request) => {
  expect(parseChunkRequest(topic, levels, Buffer.from(payload))).toEqual(request);
});

test.each([
  [['1', 'x'], ''],
  [['1', '-1'], ''],
  [['1', '1'], 'all'],
  [['1', '1'], '-5'],
  [['1', '1'], '9'.repeat(50)],
  [['r'.repeat(65), '1'], ''],
])('a request for a chunk with %j and %j is refused', (levels, payload) => {
  expect(() => parseChunkRequest('v2/fw/request/1/chunk/2', levels, Buffer.from(payload))).toThrow(CodedError);
});
