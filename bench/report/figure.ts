/** One thing that was measured. */
export interface Figure {
  /** `embedded` or `servers`. */
  mode: string;
  what: string;
  value: number;
  unit: string;
  /** What it is held against. */
  beside?: { what: string; value: number };
  /** What it is meant to reach; `met` is decided when it is measured. */
  aim?: { text: string; met: boolean };
}

/** A figure that is meant to be at least `share` of another one. */
export function atLeast(
  figure: Omit<Figure, 'aim' | 'beside'>,
  share: number,
  beside: { what: string; value: number },
): Figure {
  const text = share >= 1 ? `${share} x` : `${share * 100} %`;
  return { ...figure, beside, aim: { text: `>= ${text}`, met: figure.value >= share * beside.value } };
}
