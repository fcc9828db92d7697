import {
  createParamDecorator,
  Inject,
  Injectable,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { CodedError, type Role, type UserPrincipal } from '#contracts';
import { PUBLIC } from '#platform';
import { bearerToken } from './authenticator.ts';
import { principalOf } from './claims.ts';
import { TokenVerifier } from './token-verifier.ts';

const ROLES = 'fieldline:roles';

/** Only people with one of these roles. */
export const Roles = (...roles: Role[]): MethodDecorator & ClassDecorator => SetMetadata(ROLES, roles);

/** A request, with the person who is calling once the guard has let them in. */
type PersonsRequest = Request & { user?: UserPrincipal };

const noToken = (): CodedError =>
  new CodedError('UNAUTHENTICATED', 'Send "Authorization: Bearer <token>"; POST /user/login gives a token.');

/** The person who is calling. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): UserPrincipal => {
  const { user } = context.switchToHttp().getRequest<PersonsRequest>();
  if (!user) throw noToken();
  return user;
});

/** Guards every HTTP route that is not `@Public()`: a valid token, and one of the `@Roles()` if there are any. */
@Injectable()
export class PeopleGuard implements CanActivate {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(TokenVerifier) private readonly verifier: TokenVerifier,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http' || this.metadata<boolean>(PUBLIC, context)) return true;
    const request = context.switchToHttp().getRequest<PersonsRequest>();
    request.user = await this.callerOf(request);
    this.checkRole(request.user, context);
    return true;
  }

  private async callerOf(request: Request): Promise<UserPrincipal> {
    const token = bearerToken(request.headers.authorization);
    if (token === undefined) throw noToken();
    return principalOf(await this.verifier.verify(token));
  }

  private checkRole({ role }: UserPrincipal, context: ExecutionContext): void {
    const roles = this.metadata<Role[]>(ROLES, context);
    if (roles && !roles.includes(role)) {
      throw new CodedError('FORBIDDEN', `This needs the role ${roles.join(' or ')}; yours is ${role}.`);
    }
  }

  private metadata<T>(key: string, context: ExecutionContext): T | undefined {
    return this.reflector.getAllAndOverride<T | undefined>(key, [context.getHandler(), context.getClass()]);
  }
}
