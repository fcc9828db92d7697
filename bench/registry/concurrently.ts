/** Calls `work` again and again, so many at a time, for so long; gives how often it was done a second, and how long each took, ms. */
export async function concurrently(
  atOnce: number,
  seconds: number,
  work: (index: number) => Promise<unknown>,
): Promise<{ rate: number; times: number[] }> {
  const times: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1_000;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      const begun = performance.now();
      next += 1;
      await work(next - 1);
      times.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { rate: times.length / ((performance.now() - start) / 1_000), times };
}
