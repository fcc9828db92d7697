import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Caller, Roles } from '#access';
import type { Page, UserPrincipal } from '#contracts';
import { ApiProblems } from '../api-problems.ts';
import { AuditPage, AuditQuery, type AuditView } from './audit.schemas.ts';
import { AuditTrail } from './audit-trail.service.ts';

@ApiTags('audit')
@ApiBearerAuth()
@ApiProblems('UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'FORBIDDEN', 'INVALID_INPUT', 'UNAVAILABLE')
@Controller('api/audit')
@Roles('admin', 'operator')
export class AuditController {
  constructor(@Inject(AuditTrail) private readonly trail: AuditTrail) {}

  @Get()
  @ApiResponse({
    status: 200,
    description: 'One page of who changed what, the newest first; an operator reads of their customer',
    standardSchema: AuditPage,
  })
  list(@Caller() caller: UserPrincipal, @Query({ schema: AuditQuery }) query: AuditQuery): Promise<Page<AuditView>> {
    return this.trail.list(caller, query);
  }
}
