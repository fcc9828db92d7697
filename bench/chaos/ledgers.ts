import type { Ledger } from '#contracts';

/** What is wrong with the ledgers of devices whose readings were found so many times; nothing when they add up. */
export function ledgerProblems(ledgers: readonly Ledger[], found: number): string[] {
  const problems: string[] = [];
  const total = (name: keyof Ledger) => ledgers.reduce((sum, ledger) => sum + ledger[name], 0);
  const uneven = ledgers.filter(
    ({ received, stored, duplicate, conflict, rejected, queued }) =>
      received !== stored + duplicate + conflict + rejected + queued,
  );
  if (uneven.length > 0) problems.push(`the ledgers of ${uneven.length} devices do not add up`);
  if (total('stored') !== found) problems.push(`the ledgers say ${total('stored')} stored, the store has ${found}`);
  for (const name of ['conflict', 'rejected', 'queued'] as const) {
    if (total(name) > 0) problems.push(`the ledgers say ${total(name)} ${name}`);
  }
  return problems;
}
