/** How a message ended: with a receipt and so many of its readings rejected, or refused with a code. */
export type Answer = { rejected: number } | { code: string; retryAfterMs: number };

/** One connection of a load. */
export interface Channel {
  connect(): Promise<void>;
  /** `answered` is called once the answer to this message comes, if it does. */
  send(payload: object, answered: (answer: Answer) => void): void;
  disconnect(): void;
}
