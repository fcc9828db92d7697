import { expect, test } from '@jest/globals';
import { mismatchesOf } from './mismatch.ts';

const paths = (found: { serial: string | null; macAddress: string | null }, asked: object) =>
  mismatchesOf(found, { serial: 'S1', ...asked }).map(({ path }) => path);

test.each([
  ['the same', { serial: 'S1', macAddress: 'CE:13' }, { macAddress: 'CE:13' }, []],
  ['one of which nothing is known', { serial: null, macAddress: null }, { macAddress: 'CE:13' }, []],
  ['one that does not say its MAC address', { serial: 'S1', macAddress: 'CE:13' }, {}, []],
  ['one with another serial number', { serial: 'S2', macAddress: null }, {}, ['/serial']],
  ['one whose serial number differs in case', { serial: 's1', macAddress: null }, {}, ['/serial']],
  ['one with another MAC address', { serial: 'S1', macAddress: 'CE:14' }, { macAddress: 'CE:13' }, ['/macAddress']],
  ['another one', { serial: 'S2', macAddress: 'CE:14' }, { macAddress: 'CE:13' }, ['/serial', '/macAddress']],
])('%s differs by what it should', (_what, found, asked, expected) => {
  expect(paths(found, asked)).toEqual(expected);
});

test('what the known device has is not told', () => {
  expect(JSON.stringify(mismatchesOf({ serial: 'secret', macAddress: null }, { serial: 'S1' }))).not.toContain(
    'secret',
  );
});
