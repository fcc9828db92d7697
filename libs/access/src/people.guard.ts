import {
  createParamDecorator,
  Inject,
  Injectable,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import { CodedError, type Role, type UserPrincipal } from '#contracts';
import { PUBLIC } from '#platform';
import { noToken, PeoplePassport } from './people-passport.ts';

const ROLES = 'fieldline:roles';

/** Only people with one of these roles. */
export const Roles = (...roles: Role[]): MethodDecorator & ClassDecorator => SetMetadata(ROLES, roles);

/** A request, with the person who is calling once the guard has let them in. */
type PersonsRequest = Request & { user?: UserPrincipal };

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
    @Inject(PeoplePassport) private readonly passport: PeoplePassport,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http' || this.metadata<boolean>(PUBLIC, context)) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<PersonsRequest>();
    request.user = await this.passport.authenticate(request, http.getResponse<Response>());
    this.checkRole(request.user, context);
    return true;
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
