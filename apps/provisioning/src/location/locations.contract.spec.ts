import { utimes, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { tempDir, type TempDir } from '#testing';
import { mmdbFile, type MmdbValue } from '../../test/mmdb-file.ts';
import { HttpLocations } from './http-locations.adapter.ts';
import { LocationFailure, type LocationProvider } from './location-provider.ts';
import { MmdbLocations } from './mmdb-locations.adapter.ts';

/** What every provider of the tests knows; what else it is asked for, it does not know. */
interface Known {
  country?: string;
  state?: string;
  latitude?: number;
  longitude?: number;
}

const WORLD: Record<string, Known> = {
  '8.8.8.8': { country: 'United States', state: 'California', latitude: 37.4, longitude: -122.1 },
  '9.9.9.9': { country: 'Switzerland', state: 'Zürich' },
  '1.1.1.1': { country: 'Australia', latitude: -27.5, longitude: 153 },
  '4.4.4.4': { country: 'Nowhere', state: 'Off the map', latitude: 91, longitude: 0 },
  '5.5.5.5': { country: 'a\nb', state: ' ' },
  '2a00:1450:0:0:0:0:0:1': { country: 'Ireland', state: 'Leinster', latitude: 53.3, longitude: -6.2 },
};

/** What every provider of locations promises. */
function providerSuite(provider: () => LocationProvider): void {
  test('an address is in a country and a state, at a point', async () => {
    expect(await provider().locate('8.8.8.8')).toEqual(WORLD['8.8.8.8']);
  });

  test('so is one of IPv6', async () => {
    expect(await provider().locate('2a00:1450::1')).toEqual(WORLD['2a00:1450:0:0:0:0:0:1']);
  });

  test('a place may be without a point, and a point off the map is none', async () => {
    expect(await provider().locate('9.9.9.9')).toEqual({ country: 'Switzerland', state: 'Zürich' });
    expect(await provider().locate('4.4.4.4')).toEqual({ country: 'Nowhere', state: 'Off the map' });
  });

  test('without a state, or with names that are none, it is no place; nor is one that is not known', async () => {
    for (const address of ['1.1.1.1', '5.5.5.5', '7.7.7.7']) expect(await provider().locate(address)).toBeNull();
  });
}

describe('an HTTP service of locations', () => {
  let server: Server;
  let answer: RequestListener;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/{ip}/json/?key=secret`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });

  const provider = (timeoutMs = 5_000) => new HttpLocations(url, timeoutMs);
  const sends = (status: number, body: string, headers: Record<string, string> = {}): void => {
    answer = (_request, response) => response.writeHead(status, headers).end(body);
  };

  describe('as ipapi.co answers', () => {
    beforeAll(() => {
      answer = (request, response) => {
        const address = decodeURIComponent(request.url?.split('/')[1] ?? '');
        const known = WORLD[address === '2a00:1450::1' ? '2a00:1450:0:0:0:0:0:1' : address];
        const { country, state, ...point } = known ?? {};
        response.end(JSON.stringify({ ip: address, country: 'XX', country_name: country, region: state, ...point }));
      };
    });
    providerSuite(provider);
  });

  describe('as others answer', () => {
    beforeAll(() => {
      answer = (request, response) => {
        const address = decodeURIComponent(request.url?.split('/')[1] ?? '');
        const known = WORLD[address === '2a00:1450::1' ? '2a00:1450:0:0:0:0:0:1' : address];
        response.writeHead(known ? 200 : 404).end(JSON.stringify(known ?? { message: 'not found' }));
      };
    });
    providerSuite(provider);
  });

  test.each<[string, () => void, string]>([
    ['an error status', () => sends(429, '{}'), 'status 429'],
    ['an error in its answer', () => sends(200, '{"error": true, "reason": "RateLimited"}'), 'with an error'],
    ['what is no JSON', () => sends(200, '<html>'), 'other than a JSON object'],
    ['JSON that is no object', () => sends(200, '[1]'), 'other than a JSON object'],
    ['another address to go to', () => sends(302, '', { Location: 'http://169.254.169.254/' }), 'could not be reached'],
    ['too much', () => sends(200, JSON.stringify({ country: 'x'.repeat(70_000) })), 'too much'],
    ['an end in the middle', () => (answer = (_request, response) => response.destroy()), 'could not be reached'],
  ])('that answers with %s has failed, without a word of its address', async (_what, begin, words) => {
    begin();
    const refusal = provider().locate('8.8.8.8');
    await expect(refusal).rejects.toBeInstanceOf(LocationFailure);
    await expect(refusal).rejects.toThrow(words);
    await expect(refusal).rejects.not.toThrow(/secret|127\.0\.0\.1/);
  });

  test('that answers never, or begins to and does not end, has failed in its time', async () => {
    for (const begins of [false, true]) {
      answer = (_request, response) => {
        if (begins) response.writeHead(200).write('{');
      };
      await expect(provider(50).locate('8.8.8.8')).rejects.toThrow('did not answer within 50 ms');
    }
  });
});

describe('a file of locations', () => {
  let folder: TempDir;
  let path: string;
  beforeAll(async () => {
    folder = await tempDir();
    path = join(folder.path, 'cities.mmdb');
  });
  afterEach(() => writeFile(path, mmdbFile(cities(WORLD))));

  const cities = (world: Record<string, Known>): Record<string, MmdbValue> =>
    Object.fromEntries(
      Object.entries(world).map(([address, { country, state, ...point }]) => [
        address.includes(':') ? `${address}/64` : `${address}/32`,
        {
          ...(country === undefined ? {} : { country: { iso_code: 'XX', names: { de: 'x', en: country } } }),
          ...(state === undefined ? {} : { subdivisions: [{ names: { en: state } }, { names: { en: 'y' } }] }),
          location: { ...point, time_zone: 'Europe/Zurich' },
        },
      ]),
    );

  describe('with cities', () => {
    beforeAll(() => writeFile(path, mmdbFile(cities(WORLD))));
    let provider: LocationProvider;
    beforeAll(() => {
      provider = new MmdbLocations(path);
    });
    providerSuite(() => provider);
  });

  test('is read again once another one is in its place', async () => {
    await writeFile(path, mmdbFile(cities({ '8.8.8.8': { country: 'One', state: 'First' } })));
    const provider = new MmdbLocations(path);
    expect(await provider.locate('8.8.8.8')).toEqual({ country: 'One', state: 'First' });
    await writeFile(path, mmdbFile(cities({ '8.8.8.8': { country: 'Two', state: 'First' } })));
    await utimes(path, new Date(), new Date('2030-01-01'));
    expect(await provider.locate('8.8.8.8')).toEqual({ country: 'Two', state: 'First' });
  });

  test('that is missing, or no such file, has failed', async () => {
    await writeFile(path, 'not a database');
    for (const wrong of [path, join(folder.path, 'missing.mmdb')]) {
      await expect(new MmdbLocations(wrong).locate('8.8.8.8')).rejects.toThrow('LOCATION_MMDB cannot be read');
    }
  });
});
