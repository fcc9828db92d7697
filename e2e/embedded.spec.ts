import { describe } from '@jest/globals';
import { blackBox, livingIn } from './black-box.ts';
import { startEmbedded } from './house.ts';
import { rateLimitOverHttp } from './parts/rate-limit.ts';
import { tokenExpiry } from './parts/token-expiry.ts';

const { E2E_URL } = process.env;

(E2E_URL ? describe.skip : describe)('the embedded mode', () => {
  blackBox(livingIn(startEmbedded));
});

(E2E_URL ? describe.skip : describe)(
  'a house whose tokens live for 15 seconds and whose senders may send twice a second',
  () => {
    const house = livingIn(() => startEmbedded({ environment: { ACCESS_TOKEN_SECONDS: '15', RATE_LIMIT: '2' } }));
    tokenExpiry(house);
    rateLimitOverHttp(house);
  },
);
