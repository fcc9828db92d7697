import { Body, Controller, Delete, Get, Headers, HttpCode, Inject, Param, Patch, Query, Res } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ApiBearerAuth, ApiHeader, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Repository } from 'typeorm';
import { z } from 'zod';
import { Caller, Roles } from '#access';
import { pageOf, Role, type Page, type RpcReply, type RpcRequest, type UserPrincipal } from '#contracts';
import { Rpc } from '#messaging';
import { tagged } from '#platform';
import { CustomerDirectory } from './customer-directory.ts';
import { PersonName, TypedEmail } from './person.ts';
import { UserChanges } from './user-changes.ts';
import { UserList, UserListQuery } from './user-list.ts';
import { UserView, viewOf } from './user-view.ts';
import { User } from './user.entity.ts';

const UserPatch = z
  .strictObject({
    name: PersonName.optional(),
    role: Role.optional(),
    /** Id or number of a customer, null for none. */
    customer: z.string().min(1).max(64).nullable().optional(),
    disabled: z.boolean().optional(),
  })
  .meta({ id: 'AuthUserPatch' });

const UserPage = pageOf(UserView).meta({ id: 'AuthUserPage' });

const IfMatch = (): MethodDecorator =>
  ApiHeader({ name: 'If-Match', required: false, description: 'The entity tag it was read with' });

@ApiTags('Users')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 403, description: 'FORBIDDEN' })
@ApiResponse({ status: 422, description: 'INVALID_INPUT' })
@Roles('admin', 'operator')
@Controller('api/users')
export class UsersController {
  constructor(
    @Inject(UserList) private readonly list: UserList,
    @Inject(UserChanges) private readonly changes: UserChanges,
    @Inject(CustomerDirectory) private readonly customers: CustomerDirectory,
    @InjectRepository(User, 'auth') private readonly users: Repository<User>,
  ) {}

  @Get()
  @ApiResponse({ status: 200, description: 'One page of the users the caller may see', standardSchema: UserPage })
  page(
    @Caller() caller: UserPrincipal,
    @Query({ schema: UserListQuery }) query: z.output<typeof UserListQuery>,
  ): Promise<Page<z.output<typeof UserView>>> {
    return this.list.page(caller, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'The user, with an ETag', standardSchema: UserView })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  async read(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof UserView>> {
    return tagged(response, viewOf(await this.changes.read(caller, id)));
  }

  @Patch(':id')
  @IfMatch()
  @ApiResponse({ status: 200, description: 'The user as changed, with an ETag', standardSchema: UserView })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  @ApiResponse({ status: 409, description: 'LAST_ADMIN' })
  @ApiResponse({ status: 412, description: 'VERSION_MISMATCH' })
  async change(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Body({ schema: UserPatch }) { customer, ...patch }: z.output<typeof UserPatch>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof UserView>> {
    await this.changes.read(caller, id);
    const customerId = customer === undefined ? undefined : await this.customers.idOf(customer);
    return tagged(response, viewOf(await this.changes.change(caller, id, { ...patch, customerId }, ifMatch)));
  }

  @Delete(':id')
  @IfMatch()
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'The user is gone, their logins have ended, their devices have no owner' })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  @ApiResponse({ status: 409, description: 'LAST_ADMIN' })
  @ApiResponse({ status: 412, description: 'VERSION_MISMATCH' })
  @ApiResponse({ status: 503, description: 'UNAVAILABLE: the registry is away, the user is still there' })
  remove(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    return this.changes.remove(caller, id, ifMatch);
  }

  @Rpc('auth.users.count')
  async count({ customerId }: RpcRequest<'auth.users.count'>): Promise<RpcReply<'auth.users.count'>> {
    return { count: await this.users.countBy({ customerId }) };
  }

  @Rpc('auth.users.find')
  async find(named: RpcRequest<'auth.users.find'>): Promise<RpcReply<'auth.users.find'>> {
    const where = 'id' in named ? { id: named.id } : { email: TypedEmail.parse(named.email) };
    const user = await this.users.findOneBy(where);
    return user && { id: user.id, name: user.name, customerId: user.customerId };
  }
}
