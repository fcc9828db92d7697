import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { orderOf } from '#sql';
import { deviceQuery } from '../src/devices/device-query.ts';
import { criteriaOf, searchPage, type SearchBounds } from '../src/devices/device-search.ts';
import type { DeviceEntity } from '../src/devices/device.entity.ts';
import { person, startRegistry, type StartedRegistry } from './started-registry.ts';

const SORTED_BY = { createdAt: 'createdAt', name: 'sortName' } as const;

/** However a search is carried out, it finds the same, page by page. */
export function searchSuite(databaseUrl: () => Promise<string>): void {
  let registry: StartedRegistry;

  beforeAll(async () => {
    registry = await startRegistry(await databaseUrl());
    const admin = person('admin');
    for (let number = 0; number < 60; number += 1) {
      const body = {
        name: `${number < 45 ? 'Pump' : 'Valve'} ${String((number * 7) % 60)}`,
        serial: `SN-${String(number)}`,
        labels: number % 3 === 0 ? ['third', 'all'] : ['all'],
        kind: number % 5 === 0 ? 'gateway' : 'direct',
      };
      await registry.call(admin, 'POST /api/devices', { body });
    }
  });
  afterAll(async () => {
    await registry.stop();
  });

  async function everyPage(filters: Parameters<typeof criteriaOf>[0], sort: string, bounds: SearchBounds) {
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await searchPage(
        registry.dataSource,
        () => deviceQuery(registry.dataSource, 'all', {}),
        criteriaOf(filters),
        orderOf<DeviceEntity>(sort, SORTED_BY),
        { limit: 7, cursor },
        bounds,
      );
      names.push(...page.items.map(({ name }) => name));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return names;
  }

  test.each<[Parameters<typeof criteriaOf>[0], number]>([
    [{ q: 'pump' }, 45],
    [{ q: 'valve' }, 15],
    [{ label: 'all' }, 60],
    [{ label: 'third', q: 'valve' }, 5],
    [{ label: 'thir' }, 0],
    [{ q: 'sn-3 pump' }, 11],
    [{ q: 'nothing' }, 0],
    [{ kind: 'gateway' }, 12],
    [{ kind: 'agent' }, 0],
    [{ kind: 'gateway', state: 'created' }, 12],
    [{ kind: 'direct', state: 'active' }, 0],
    [{ kind: 'gateway', q: 'pump', label: 'third' }, 3],
    [{}, 60],
  ])('%j finds the same by every way', async (filters, count) => {
    for (const sort of ['createdAt', '-createdAt', 'name', '-name']) {
      const found = await everyPage(filters, sort, { few: 1_000, walk: 1_000 });
      expect(found).toHaveLength(count);
      for (const bounds of [
        { few: 0, walk: 1_000 },
        { few: 0, walk: 8 },
        { few: 10, walk: 20 },
      ]) {
        expect(await everyPage(filters, sort, bounds)).toEqual(found);
      }
    }
  });
}
