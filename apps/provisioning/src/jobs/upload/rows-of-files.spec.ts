import { describe, expect, test } from '@jest/globals';
import { CodedError } from '#contracts';
import { chunksOf } from './chunks.ts';
import { csvRows } from './csv-rows.ts';
import { ndjsonRows } from './ndjson-rows.ts';
import type { UploadedRow } from './uploaded-row.ts';
import { utf8Text } from './utf8-text.ts';

const READERS = { csv: csvRows, ndjson: ndjsonRows };
type Format = keyof typeof READERS;

async function* pieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < data.length; from += size) yield data.subarray(from, from + size);
}

async function rowsOf(format: Format, file: string | Buffer, size = 65_536): Promise<UploadedRow[]> {
  const rows: UploadedRow[] = [];
  for await (const some of READERS[format](utf8Text(pieces(Buffer.from(file), size)))) rows.push(...some);
  return rows;
}

const refusal = async (format: Format, file: string | Buffer, size?: number): Promise<CodedError> =>
  rowsOf(format, file, size).then(
    () => {
      throw new Error('the file was taken');
    },
    (error: unknown) => {
      if (error instanceof CodedError) return error;
      throw error;
    },
  );

/** Endless input, and how much of it was read. */
function endless(head: string, piece: string): { source: AsyncIterable<Buffer>; read: () => number } {
  let count = 0;
  const bytes = Buffer.from(piece.repeat(Math.ceil(65_536 / piece.length)));
  async function* generate(): AsyncGenerator<Buffer> {
    yield Buffer.from(head);
    for (;;) {
      count += bytes.length;
      if (count > 16_777_216) throw new Error('read on and on');
      yield bytes;
    }
  }
  return { source: generate(), read: () => count };
}

describe('rows of a CSV file', () => {
  const FILE = [
    'labels,name,macAddress,customer,serial,profile,kind',
    'hall; blue ;,Pump,ce13,acme,S1,Boiler,gateway',
    ',"Fan, ""big""",,,,,',
    '',
  ].join('\n');
  const ROWS = [
    {
      line: 2,
      name: 'Pump',
      macAddress: 'ce13',
      customer: 'acme',
      serial: 'S1',
      profile: 'Boiler',
      kind: 'gateway',
      labels: ['hall', 'blue'],
    },
    { line: 3, name: 'Fan, "big"' },
  ];

  test('have their columns in any order, and nothing where a field is empty', async () => {
    expect(await rowsOf('csv', FILE)).toEqual(ROWS);
  });

  test.each([1, 2, 3, 7])(
    'are the same in pieces of %d bytes, with any line ends and a byte order mark',
    async (size) => {
      for (const end of ['\n', '\r\n', '\r']) {
        expect(await rowsOf('csv', `\ufeff${FILE.replaceAll('\n', end)}`, size)).toEqual(ROWS);
      }
    },
  );

  test('know their lines after quoted line ends and empty lines', async () => {
    const file = 'name,serial\r\n"a\r\nb",1\r\n\r\nc,2\r\n\r\n\r\n"d\n\ne",3\nf,4';
    expect((await rowsOf('csv', file)).map(({ line }) => line)).toEqual([2, 5, 8, 11]);
  });

  test('are kept whole in every script', async () => {
    const name = 'Zähler Ω 水 🌡';
    for (const size of [1, 2, 3, 5]) expect(await rowsOf('csv', `name\n${name}`, size)).toEqual([{ line: 2, name }]);
  });

  test('that do not fit the header, or have no name, are bad by themselves', async () => {
    const rows = await rowsOf('csv', `name,serial\na\nb,1,2\n,3\n${'x'.repeat(4_097)},4\nc,5\n`);
    expect(rows.map((row) => ('problem' in row ? [row.line, row.problem.field] : row.name))).toEqual([
      [2, undefined],
      [3, undefined],
      [4, 'name'],
      [5, 'name'],
      'c',
    ]);
  });

  test.each<[string, string, string, string]>([
    ['an unknown column', 'name,colour\na,red', 'colour', '/1/colour'],
    ['a column in another case', 'Name\na', 'Name', '/1/Name'],
    ['no column name', 'serial\n1', '"name" is missing', '/1/name'],
    ['a column twice', 'name,serial,name\na,1,b', 'there twice', '/1/name'],
    ['an empty column', 'name,\na,', '""', '/1/'],
    ['rows without a header', 'Pump 7,CE:13\n', 'Pump 7', '/1/Pump 7'],
    ['a quote that is not closed', 'name\na\n"b\nc\n', 'never closed', '/3'],
    ['a quote within a field', 'name\na\nb\nc "x" d\n', 'in the middle of a field', '/4'],
    ['something behind a quote', 'name\na\n"b"c\n', 'follows a closing quote', '/3'],
    ['65 fields', `name\na\n${','.repeat(64)}\n`, '65 fields', '/3'],
    ['a record of 64 KiB', `name\na\n${'x'.repeat(66_000)}\n`, 'longer than 65536 bytes', '/3'],
  ])('%s is refused by its line', async (_what, file, words, path) => {
    for (const size of [1, 65_536]) {
      const { code, message, errors } = await refusal('csv', file, size);
      expect([code, errors?.[0]?.path]).toEqual(['INVALID_INPUT', path]);
      expect(message).toContain(words);
      expect(message.length).toBeLessThan(400);
    }
  });

  test.each<[string, string, string]>([
    ['a million columns', 'name', ',name'],
    ['a million fields', 'name\na', ','],
    ['a quote that is never closed', 'name\n"', 'x\n'],
    ['no line end', 'name\n', 'x'],
  ])('%s ends early, whatever still comes', async (_what, head, piece) => {
    const { source, read } = endless(head, piece);
    const reading = async () => {
      for await (const rows of csvRows(utf8Text(source))) expect(rows).toEqual([]);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(read()).toBeLessThan(400_000);
  });
});

describe('rows of a file of JSON lines', () => {
  test('are objects with the fields of a device; null says nothing, empty lines are skipped', async () => {
    const file = [
      '{"name":"Pump","labels":["a"],"attributes":{"x":{"y":[1,null]}},"serial":null}',
      '',
      ' {"name":"Fan"} ',
    ].join('\r\n');
    const rows = [
      { line: 1, name: 'Pump', labels: ['a'], attributes: { x: { y: [1, null] } } },
      { line: 3, name: 'Fan' },
    ];
    for (const size of [1, 7, 65_536]) expect(await rowsOf('ndjson', `\ufeff${file}`, size)).toEqual(rows);
  });

  test.each<[string, string, string | undefined]>([
    ['broken JSON', '{"name":', undefined],
    ['a list', '["a"]', undefined],
    ['null', 'null', undefined],
    ['a text', '"a"', undefined],
    ['an unknown field', '{"name":"a","colour":"red"}', 'colour'],
    ['__proto__', '{"name":"a","__proto__":{"admin":true}}', '__proto__'],
    ['a line of its own choice', '{"name":"a","line":7}', 'line'],
    ['a number for a name', '{"name":7}', 'name'],
    ['no name', '{"serial":"7"}', 'name'],
    ['a text for labels', '{"name":"a","labels":"b"}', 'labels'],
    ['half a surrogate pair', '{"name":"\\ud83c"}', 'name'],
    ['half a surrogate pair in a key', '{"name":"a","attributes":{"\\udf21":1}}', 'attributes'],
    ['a number beyond a double', '{"name":"a","attributes":{"x":1e400}}', 'attributes'],
    ['deep nesting', `{"name":"a","attributes":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}}`, 'attributes'],
    ['a text of 5,000 characters', `{"name":"${'x'.repeat(5_000)}"}`, 'name'],
  ])('%s is a bad row', async (_what, line, field) => {
    const [good, bad, next] = await rowsOf('ndjson', `{"name":"a"}\n${line}\n{"name":"b"}`);
    expect([good, next]).toEqual([
      { line: 1, name: 'a' },
      { line: 3, name: 'b' },
    ]);
    expect(bad).toMatchObject({ line: 2, problem: { message: expect.any(String) } });
    expect(bad && 'problem' in bad ? bad.problem.field : 'none').toBe(field);
  });

  test('a line without an end ends early', async () => {
    const { source, read } = endless('{"name":"', 'x');
    const reading = async () => {
      for await (const rows of ndjsonRows(utf8Text(source))) expect(rows).toEqual([]);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'INVALID_INPUT', errors: [{ path: '/1' }] });
    expect(read()).toBeLessThan(200_000);
  });
});

describe('the text of a file', () => {
  test.each<[string, Buffer, number]>([
    ['Latin-1', Buffer.from('name\na\nZ\xe4hler\nb\n', 'latin1'), 3],
    ['UTF-16', Buffer.from('\ufeffname\na', 'utf16le'), 1],
    ['a character that is cut off', Buffer.concat([Buffer.from('name\na\n'), Buffer.from('水').subarray(0, 2)]), 3],
    ['a character that is cut off by a line end', Buffer.from('name\na\xe6\xb0\nb', 'latin1'), 2],
    ['an overlong slash', Buffer.from('name\n\xc0\xaf\n', 'latin1'), 2],
    ['a surrogate', Buffer.from('name\n\xed\xa0\x80\n', 'latin1'), 2],
  ])('%s is refused by its line', async (_what, file, line) => {
    for (const size of [1, 2, 3, 65_536]) {
      const { message, errors } = await refusal('csv', file, size);
      expect(errors?.[0]?.path).toBe(`/${String(line)}`);
      expect(message).toContain('UTF-8');
    }
  });
});

describe('chunks', () => {
  async function* all(rows: UploadedRow[]): AsyncGenerator<UploadedRow[]> {
    yield rows;
  }
  const sizesOf = async (rows: UploadedRow[]): Promise<number[]> => {
    const sizes: number[] = [];
    for await (const chunk of chunksOf(all(rows))) sizes.push(chunk.length);
    return sizes;
  };
  const row = (line: number, attributes = {}): UploadedRow => ({ line, name: 'n', attributes });

  test('have 1,000 rows', async () => {
    expect(await sizesOf(Array.from({ length: 2_201 }, (_, line) => row(line)))).toEqual([1_000, 1_000, 201]);
  });

  test('have 256 KiB, and a row at least', async () => {
    const big = { text: 'x'.repeat(60_000) };
    expect(await sizesOf(Array.from({ length: 9 }, (_, line) => row(line, big)))).toEqual([4, 4, 1]);
    expect(await sizesOf([])).toEqual([]);
  });
});
