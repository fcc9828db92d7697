/** What a store writes for one reading: its series, time, value and when it was received. */
export type Row = readonly [series: number, t: number, value: number, receivedAt: number];

/** Endless groups of rows as a drain has them: every series in turn, as time goes on, each group in key order. */
export function* groupsOfRows(series: number, rowsInGroup: number): Generator<Row[], never> {
  const t0 = Date.now();
  for (let n = 0; ; n += rowsInGroup) {
    const group = Array.from({ length: rowsInGroup }, (_, i): Row => {
      const number = n + i;
      return [number % series, t0 + Math.floor(number / series), 20 + (number % 1_000) / 100, t0];
    });
    yield group.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  }
}
