import { describe } from '@jest/globals';
import type { House } from '../house.ts';
import { imports } from './ways-in/imports.ts';
import { pairing } from './ways-in/pairing.ts';
import { twoSteps } from './ways-in/two-steps.ts';
import { uuidAndSecret } from './ways-in/uuid-and-secret.ts';
import { zeroTouch } from './ways-in/zero-touch.ts';

/** Every way a device gets in, as the document that describes it has it. */
export function waysIn(house: () => House): void {
  describe('a device gets in', () => {
    twoSteps(house);
    uuidAndSecret(house);
    zeroTouch(house);
    pairing(house);
    imports(house);
  });
}
