/**
 * Bounds an `LRUCache` to so many entries, as its `max` does, but without making room for all of them beforehand: that takes 44 bytes
 * each, of caches of which most are never full.
 */
export const upTo = (entries: number): { maxSize: number; sizeCalculation: () => number } => ({
  maxSize: entries,
  sizeCalculation: () => 1,
});
