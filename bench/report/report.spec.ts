import { describe, expect, test } from '@jest/globals';
import { atLeast, type Figure } from './figure.ts';
import { figureTable } from './table.ts';

const figure: Figure = { mode: 'embedded', what: 'singles', value: 80, unit: '/s' };

describe('a figure with an aim', () => {
  test('meets it from the share on', () => {
    const beside = { what: 'empty', value: 100 };
    expect(atLeast(figure, 0.8, beside).aim).toEqual({ text: '>= 80 %', met: true });
    expect(atLeast(figure, 0.81, beside).aim?.met).toBe(false);
    expect(atLeast(figure, 10, { what: 'naive', value: 8 }).aim).toEqual({ text: '>= 10 x', met: true });
  });

  test('says so in the table', () => {
    const rows = [figure, atLeast({ ...figure, value: 61_234 }, 0.8, { what: 'empty', value: 100_000 })];
    expect(figureTable(rows)).toBe(
      [
        '| measured |     value |        beside | ratio |             aim |',
        '| -------- | --------: | ------------: | ----: | --------------: |',
        '| singles  |     80 /s |               |       |                 |',
        '| singles  | 61,234 /s | 100,000 empty |  61 % | >= 80 % NOT MET |',
      ].join('\n'),
    );
  });
});
