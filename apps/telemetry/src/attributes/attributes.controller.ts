import { Body, Controller, Get, Headers, Inject, Param, Patch, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import { Caller } from '#access';
import type { UserPrincipal } from '#contracts';
import { entityTag } from '#platform';
import { AttributesPatchBody, AttributesQuery, AttributesReply, AttributeVersionsReply } from './attribute.schemas.ts';
import { PeoplesAttributes, type TaggedAttributes } from './peoples-attributes.service.ts';

const DeviceId = z.uuid();

/** The twin of a device, for people. */
@ApiTags('Attributes')
@ApiBearerAuth()
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 404, description: 'NOT_FOUND: no such device among the caller’s' })
@ApiResponse({ status: 422, description: 'INVALID_INPUT' })
@ApiResponse({ status: 503, description: 'UNAVAILABLE' })
@Controller('api/devices/:id/attributes')
export class AttributesController {
  constructor(@Inject(PeoplesAttributes) private readonly attributes: PeoplesAttributes) {}

  @Get()
  @ApiResponse({
    status: 200,
    description: 'The attributes by scope and key; ETag is the version of all',
    standardSchema: AttributesReply,
  })
  async read(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: DeviceId }) id: string,
    @Query({ schema: AttributesQuery }) query: AttributesQuery,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AttributesReply> {
    return tagged(response, await this.attributes.read(caller, id, query));
  }

  @Get('versions')
  @ApiResponse({
    status: 200,
    description: 'Each attribute’s version, when it was written and by whom',
    standardSchema: AttributeVersionsReply,
  })
  versions(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: DeviceId }) id: string,
  ): Promise<AttributeVersionsReply> {
    return this.attributes.versions(caller, id);
  }

  @Patch()
  @ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the attributes as they were read' })
  @ApiResponse({
    status: 200,
    description: 'All attributes, changed; the device is told of its shared ones now, or when it connects',
    standardSchema: AttributesReply,
  })
  @ApiResponse({ status: 403, description: 'FORBIDDEN: the caller may see the device, no more' })
  @ApiResponse({ status: 412, description: 'VERSION_MISMATCH' })
  @ApiResponse({ status: 413, description: 'ATTRIBUTES_TOO_LARGE, with the key' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT, or BAD_ATTRIBUTE with the key' })
  async change(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: DeviceId }) id: string,
    @Body({ schema: AttributesPatchBody }) patch: AttributesPatchBody,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AttributesReply> {
    return tagged(response, await this.attributes.change(caller, id, patch, ifMatch));
  }
}

function tagged(response: Response, { version, attributes }: TaggedAttributes): AttributesReply {
  response.setHeader('ETag', entityTag(version));
  return attributes;
}
