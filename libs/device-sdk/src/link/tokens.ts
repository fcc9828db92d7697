/**
 * Brings a token. Without `refused` any good one; with it, a token that was refused or is about to expire, another one is
 * needed. Rejects with a CodedError when there is none to be had, with any other error when it could not be asked for.
 */
export type GetToken = (refused?: string) => Promise<string>;

/** What the current token is, and how to come by the next. */
export class Tokens {
  private current: string | undefined;

  constructor(private readonly source: { token: string } | { getToken: GetToken }) {
    if ('token' in source) this.current = source.token;
  }

  get canRenew(): boolean {
    return 'getToken' in this.source;
  }

  /** The token that was last brought. */
  get latest(): string | undefined {
    return this.current;
  }

  async get(): Promise<string> {
    this.current ??= await this.renew();
    return this.current;
  }

  /** Replaces the current token; with a fixed token, it is that one again. */
  async renew(): Promise<string> {
    if ('token' in this.source) return this.source.token;
    this.current = await this.source.getToken(this.current);
    return this.current;
  }
}
