import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Query,
  Res,
} from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import { Caller, Roles } from '#access';
import type { Page, UserPrincipal } from '#contracts';
import { tagged } from '#platform';
import { ApiProblems } from '../api-problems.ts';
import { CustomerDocument, CustomerPage, CustomerPatch, CustomerQuery, CustomerView } from './customer.schemas.ts';
import { Customers } from './customers.service.ts';

@ApiTags('customers')
@ApiBearerAuth()
@ApiProblems('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN', 'INVALID_INPUT', 'UNAVAILABLE')
@Controller('api/customers')
export class CustomersController {
  constructor(@Inject(Customers) private readonly customers: Customers) {}

  @Get()
  @Roles('admin', 'operator')
  @ApiResponse({
    status: 200,
    description: 'One page; `q` is the beginning of a number or name',
    standardSchema: CustomerPage,
  })
  list(
    @Caller() caller: UserPrincipal,
    @Query({ schema: CustomerQuery }) query: CustomerQuery,
  ): Promise<Page<CustomerView>> {
    return this.customers.list(caller, query);
  }

  @Get(':id')
  @Roles('admin', 'operator')
  @ApiResponse({ status: 200, description: 'The customer', standardSchema: CustomerView })
  @ApiProblems('NOT_FOUND')
  async get(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<CustomerView> {
    return tagged(response, await this.customers.get(caller, id));
  }

  @Post()
  @Roles('admin')
  @ApiResponse({ status: 201, description: 'Made', standardSchema: CustomerView })
  @ApiProblems('CUSTOMER_NUMBER_TAKEN')
  async create(
    @Caller() caller: UserPrincipal,
    @Body({ schema: CustomerDocument }) document: CustomerDocument,
    @Res({ passthrough: true }) response: Response,
  ): Promise<CustomerView> {
    return tagged(response, await this.customers.create(caller, document));
  }

  @Patch(':id')
  @Roles('admin')
  @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the customer as it was read' })
  @ApiResponse({ status: 200, description: 'Changed, as JSON merge patch (RFC 7396)', standardSchema: CustomerView })
  @ApiProblems('NOT_FOUND', 'CUSTOMER_NUMBER_TAKEN', 'VERSION_MISMATCH')
  async change(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Body({ schema: CustomerPatch }) patch: CustomerPatch,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<CustomerView> {
    return tagged(response, await this.customers.change(caller, id, patch, ifMatch));
  }

  @Delete(':id')
  @Roles('admin')
  @HttpCode(204)
  @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the customer as it was read' })
  @ApiResponse({ status: 204, description: 'Deleted' })
  @ApiProblems('NOT_FOUND', 'CUSTOMER_IN_USE', 'VERSION_MISMATCH')
  remove(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: z.uuid() }) id: string,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    return this.customers.remove(caller, id, ifMatch);
  }
}
