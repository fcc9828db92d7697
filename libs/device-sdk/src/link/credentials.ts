/** What a device shows to be let in: a token, or the user name and password of two-step provisioning. */
export type DeviceCredentials = { token: string } | { userName: string; password: string };

/**
 * Brings a token. Without `refused` any good one; with it, a token that was refused or is about to expire, another one is
 * needed. Rejects with a CodedError when there is none to be had, with any other error when it could not be asked for.
 */
export type GetToken = (refused?: string) => Promise<string>;

/**
 * A way into the platform. One call goes as far as it can; after a failure the next call goes on where it ended, so that every
 * call is safe to repeat.
 */
export interface Provisioning {
  /**
   * Brings credentials: those that are kept, or new ones when these were `refused`.
   *
   * @throws an error for which `isFinal` tells whether asking again may help.
   */
  enter(refused?: DeviceCredentials): Promise<DeviceCredentials>;
}

/** Where the credentials of a connection come from. */
export type CredentialSource = { fixed: DeviceCredentials } | { provisioning: Provisioning };

/** A way in that asks somebody else for tokens. */
export const byToken = (getToken: GetToken): Provisioning => ({
  enter: async (refused) => ({ token: await getToken(tokenOf(refused)) }),
});

/** The token of credentials that are one. */
export const tokenOf = (credentials: DeviceCredentials | undefined): string | undefined =>
  credentials && 'token' in credentials ? credentials.token : undefined;

/** What the current credentials are, and how to come by the next. */
export class Credentials {
  private current: DeviceCredentials | undefined;
  private renewing: Promise<DeviceCredentials> | undefined;

  constructor(private readonly source: CredentialSource) {
    if ('fixed' in source) this.current = source.fixed;
  }

  get canRenew(): boolean {
    return 'provisioning' in this.source;
  }

  /** The credentials that were last brought. */
  get latest(): DeviceCredentials | undefined {
    return this.current;
  }

  async get(): Promise<DeviceCredentials> {
    return this.current ?? this.renew();
  }

  /** Replaces the current credentials, once for all who ask meanwhile; fixed ones stay as they are. */
  async renew(): Promise<DeviceCredentials> {
    if ('fixed' in this.source) return this.source.fixed;
    this.renewing ??= this.source.provisioning.enter(this.current).finally(() => {
      this.renewing = undefined;
    });
    this.current = await this.renewing;
    return this.current;
  }
}
