import { expect, test } from '@jest/globals';
import { ledgerProblems } from './ledgers.ts';

const ledger = { received: 12, stored: 10, duplicate: 2, conflict: 0, rejected: 0, queued: 0 };

test('ledgers that add up to what is found have no problem', () => {
  expect(ledgerProblems([ledger, ledger], 20)).toEqual([]);
});

test('received without a place to be is a problem', () => {
  expect(ledgerProblems([{ ...ledger, received: 13 }], 10)).toEqual(['the ledgers of 1 devices do not add up']);
});

test('stored and not found is a problem, and so the other way round', () => {
  expect(ledgerProblems([ledger], 9)).toEqual(['the ledgers say 10 stored, the store has 9']);
  expect(ledgerProblems([ledger], 11)).toEqual(['the ledgers say 10 stored, the store has 11']);
});

test('conflicts, rejections and a queue are problems, since every value is sent the same and the log is drained', () => {
  const odd = { received: 16, stored: 10, duplicate: 2, conflict: 1, rejected: 1, queued: 2 };
  expect(ledgerProblems([odd], 10)).toEqual([
    'the ledgers say 1 conflict',
    'the ledgers say 1 rejected',
    'the ledgers say 2 queued',
  ]);
});
