import { describe } from '@jest/globals';
import { describeWith } from '#testing';
import { blackBox, livingIn } from './black-box.ts';
import { remoteHouse, startSuite } from './house.ts';
import { gatewayKeepsInside } from './parts/operations.ts';
import { linkOutages } from './parts/link-outages.ts';
import { outages } from './parts/outages.ts';

const { E2E_URL } = process.env;

if (E2E_URL) {
  process.stderr.write('E2E_URL is set: tests that start, kill or look into processes are left out\n');
  describe(`the house at ${E2E_URL}`, () => {
    const house = livingIn(() => remoteHouse(process.env));
    blackBox(house);
    gatewayKeepsInside(house);
  });
} else {
  describeWith(['own-mysql', 'own-mongodb', 'own-nats', 'nginx'], 'the suite of services', () => {
    const house = livingIn(startSuite);
    blackBox(house);
    gatewayKeepsInside(house);
    outages(house);
    linkOutages(house);
  });
}
