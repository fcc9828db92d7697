/** Injection symbol of the {@link Clock}. */
export const CLOCK = Symbol('CLOCK');

/** The time, in ms since the epoch. */
export type Clock = () => number;
