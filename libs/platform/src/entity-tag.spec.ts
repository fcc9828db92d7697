import { expect, test } from '@jest/globals';
import { entityTag, requireMatch } from './entity-tag.ts';

test.each([undefined, '*', entityTag(3), '"1", "3"', ' "3" '])('If-Match %j goes with version 3', (header) => {
  expect(() => {
    requireMatch(header, 3);
  }).not.toThrow();
});

test.each(['"4"', '3', 'W/"3"', '', '"33"', '"1","2"'])('If-Match %j does not go with version 3', (header) => {
  expect(() => {
    requireMatch(header, 3);
  }).toThrow(expect.objectContaining({ code: 'VERSION_MISMATCH' }));
});
