import { createParamDecorator, Inject, Injectable, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import type { Request } from 'express';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { CodedError, type Role, type UserPrincipal } from '#contracts';
import { PUBLIC } from '#platform';
import { principalOf } from './claims.ts';
import { tokenError, TOKEN_RULES, TokenVerifier } from './token-verifier.ts';

const ROLES = 'fieldline:roles';

/** Only people with one of these roles. */
export const Roles = (...roles: Role[]): MethodDecorator & ClassDecorator => SetMetadata(ROLES, roles);

/** The person who is calling. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): UserPrincipal => {
  const { user } = context.switchToHttp().getRequest<Request & { user?: UserPrincipal }>();
  if (!user)
    throw new CodedError('UNAUTHENTICATED', 'Send "Authorization: Bearer <token>"; POST /user/login gives a token.');
  return user;
});

/** Checks the bearer token of a request with passport-jwt. */
@Injectable()
export class PeopleStrategy extends PassportStrategy(Strategy, 'people') {
  constructor(@Inject(TokenVerifier) private readonly verifier: TokenVerifier) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      jsonWebTokenOptions: TOKEN_RULES,
      algorithms: [...TOKEN_RULES.algorithms],
      secretOrKeyProvider: (_request: unknown, token: string, done: (error: unknown, key?: string) => void) => {
        verifier.keyOf(token).then(
          (key) => {
            done(null, key as unknown as string);
          },
          (error: unknown) => {
            done(error);
          },
        );
      },
    });
  }

  validate(payload: unknown): UserPrincipal {
    return principalOf(this.verifier.accept(payload));
  }
}

/** Guards every HTTP route that is not `@Public()`: a valid token, and one of the `@Roles()` if there are any. */
@Injectable()
export class PeopleGuard extends AuthGuard('people') {
  constructor(@Inject(Reflector) private readonly reflector: Reflector) {
    super();
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http' || this.metadata<boolean>(PUBLIC, context)) return true;
    await super.canActivate(context);
    this.checkRole(context);
    return true;
  }

  override handleRequest<T>(error: unknown, user: T | false, info: unknown): T {
    if (user) return user;
    const reason = error ?? info;
    if (reason instanceof Error && reason.message === 'No auth token') {
      throw new CodedError('UNAUTHENTICATED', 'Send "Authorization: Bearer <token>"; POST /user/login gives a token.');
    }
    throw tokenError(reason);
  }

  private checkRole(context: ExecutionContext): void {
    const roles = this.metadata<Role[]>(ROLES, context);
    const { user } = context.switchToHttp().getRequest<Request & { user: UserPrincipal }>();
    if (roles && !roles.includes(user.role)) {
      throw new CodedError('FORBIDDEN', `This needs the role ${roles.join(' or ')}; yours is ${user.role}.`);
    }
  }

  private metadata<T>(key: string, context: ExecutionContext): T | undefined {
    return this.reflector.getAllAndOverride<T | undefined>(key, [context.getHandler(), context.getClass()]);
  }
}
