import { describe, expect, test } from '@jest/globals';
import { parseClaim } from './claim-payload.ts';
import { parseProvisioning } from './provisioning-payload.ts';

const BAD = expect.objectContaining({ code: 'BAD_PAYLOAD' });
const thrownBy = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

describe('a claim', () => {
  test.each([
    [undefined, { secretKey: '' }],
    [null, { secretKey: '' }],
    [{}, { secretKey: '' }],
    [
      { secretKey: 'abc', durationMs: 60_000 },
      { secretKey: 'abc', durationMs: 60_000 },
    ],
    [{ durationMs: 1.5 }, { secretKey: '', durationMs: 1 }],
  ])('%j is %j', (document, claim) => {
    expect(parseClaim(document)).toEqual(claim);
  });

  test.each([
    [[]],
    ['x'],
    [{ secretKey: 1 }],
    [{ secretKey: 'x'.repeat(129) }],
    [{ durationMs: 0 }],
    [{ durationMs: '1' }],
  ])('%j is refused', (document) => {
    expect(thrownBy(() => parseClaim(document))).toEqual(BAD);
  });
});

describe('a request for provisioning', () => {
  const asked = { deviceName: 'D1', provisionDeviceKey: 'k', provisionDeviceSecret: 's' };

  test('is taken with what it asks for, null being the same as missing', () => {
    expect(
      parseProvisioning({ ...asked, credentialsType: 'MQTT_BASIC', clientId: 'c', token: null }, '10.0.0.1'),
    ).toEqual({
      ...asked,
      credentialsType: 'MQTT_BASIC',
      clientId: 'c',
      address: '10.0.0.1',
    });
  });

  test('cannot say where it comes from', () => {
    expect(parseProvisioning({ ...asked, address: '1.2.3.4' }, '10.0.0.1').address).toBe('10.0.0.1');
  });

  test.each([
    [{}],
    [{ ...asked, provisionDeviceKey: undefined }],
    [{ ...asked, credentialsType: 'LWM2M' }],
    [[]],
    [null],
  ])('%j is refused', (document) => {
    expect(thrownBy(() => parseProvisioning(document, '10.0.0.1'))).toEqual(BAD);
  });
});
