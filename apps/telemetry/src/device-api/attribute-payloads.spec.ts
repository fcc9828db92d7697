import { describe, expect, test } from '@jest/globals';
import {
  attributesReply,
  byDevice,
  childAttributesReply,
  parseAttributeRequest,
  parseChildAttributeRequest,
  pushedAttributes,
} from './attribute-payloads.ts';

const BAD = expect.objectContaining({ code: 'BAD_PAYLOAD' });
const thrownBy = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

describe('a request for attributes', () => {
  test.each([
    [{}, { client: true, shared: true }],
    [
      { clientKeys: 'a,b', sharedKeys: 's' },
      { client: ['a', 'b'], shared: ['s'] },
    ],
    [{ sharedKeys: 'a, b' }, { shared: ['a', ' b'] }],
    [{ clientKeys: '' }, { client: [] }],
  ])('%j asks for %j', (document, wanted) => {
    expect(parseAttributeRequest(document)).toEqual(wanted);
  });

  test.each([[{ clientKeys: ['a'] }], [{ sharedKeys: 1 }], [[]], [null]])('%j is refused', (document) => {
    expect(thrownBy(() => parseAttributeRequest(document))).toEqual(BAD);
  });

  test('is answered without the scopes of which nothing was found', () => {
    expect(attributesReply({ client: { a: 1 }, shared: {} })).toEqual({ client: { a: 1 } });
    expect(attributesReply({ client: {}, shared: { s: true } })).toEqual({ shared: { s: true } });
    expect(attributesReply({ client: {}, shared: {} })).toEqual({});
  });
});

describe("a gateway's request for attributes", () => {
  const ask = (more: object) => parseChildAttributeRequest({ id: 1, device: 'A', ...more });

  test('names one or several of a scope, or nothing for everything', () => {
    expect(ask({ client: true, key: 'k' }).wanted).toEqual({ client: ['k'] });
    expect(ask({ client: false, keys: ['a', 'b'] }).wanted).toEqual({ shared: ['a', 'b'] });
    expect(ask({ keys: [] }).wanted).toEqual({ client: true, shared: true });
    expect(ask({}).wanted).toEqual({ client: true, shared: true });
  });

  test('is answered with a value for one name of which something was found, with values otherwise', () => {
    const one = { client: { a: 5 }, shared: {} };
    expect(childAttributesReply(ask({ client: true, key: 'a' }), one)).toEqual({ id: 1, device: 'A', value: 5 });
    expect(childAttributesReply(ask({ client: true, keys: ['a'] }), one)).toEqual({ id: 1, device: 'A', value: 5 });
    expect(childAttributesReply(ask({ client: true, keys: ['a', 'b'] }), one)).toEqual({
      id: 1,
      device: 'A',
      values: { a: 5 },
    });
    expect(childAttributesReply(ask({}), { client: { a: 5 }, shared: { b: 6 } })).toEqual({
      id: 1,
      device: 'A',
      values: { a: 5, b: 6 },
    });
    expect(childAttributesReply(ask({ key: 'a' }), { client: {}, shared: {} })).toEqual({
      id: 1,
      device: 'A',
      values: {},
    });
  });

  test.each([[{ id: '1', key: 'a' }], [{ id: 1.5 }], [{ device: '' }], [{ device: 3 }], [{ keys: 'a' }], [{ key: 1 }]])(
    '%j is refused',
    (more) => {
      expect(thrownBy(() => ask(more))).toEqual(BAD);
    },
  );
});

describe('pushed attributes', () => {
  test('are flat; removed ones are names', () => {
    expect(pushedAttributes({ a: 1 }, [])).toEqual({ a: 1 });
    expect(pushedAttributes({}, ['a'])).toEqual({ deleted: ['a'] });
    expect(pushedAttributes({ b: 2 }, ['a'])).toEqual({ b: 2, deleted: ['a'] });
  });
});

describe('what a gateway sends by device', () => {
  test('has a member for each', () => {
    expect(byDevice({ A: 1, B: 2 }, 'Telemetry')).toEqual([
      ['A', 1],
      ['B', 2],
    ]);
  });

  test.each([[{}], [[]], [null], [{ '': 1 }], [{ ['x'.repeat(129)]: 1 }]])('%j is refused', (document) => {
    expect(thrownBy(() => byDevice(document, 'Telemetry'))).toEqual(BAD);
  });
});
