import { Inject, Injectable } from '@nestjs/common';
import { CodedError } from '#contracts';
import { RpcClient } from '#messaging';

/** Who there is, as auth knows it. */
@Injectable()
export class UserDirectory {
  constructor(@Inject(RpcClient) private readonly rpc: RpcClient) {}

  /** The id of a user who is named by it or by an email address. Throws `USER_NOT_FOUND`, `UNAVAILABLE`. */
  async idOf(named: { id: string } | { email: string }): Promise<string> {
    const user = await this.rpc.call('auth.users.find', named);
    if (user) return user.id;
    throw new CodedError(
      'USER_NOT_FOUND',
      'id' in named
        ? `There is no user ${named.id}.`
        : `Nobody has signed up with "${named.email}": ask them to, and try again then.`,
    );
  }
}
