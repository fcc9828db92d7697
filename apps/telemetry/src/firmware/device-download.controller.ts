import { Controller, Get, Headers, Inject, Query, Req, Res, type StreamableFile } from '@nestjs/common';
import { ApiBasicAuth, ApiBearerAuth, ApiHeader, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Authenticator, credentialsOf } from '#access';
import { CodedError, type DeviceRef } from '#contracts';
import { Public } from '#platform';
import { Firmware } from './firmware.service.ts';
import { KindQuery } from './firmware.schemas.ts';
import { answerFile } from './package-file.ts';

/** Both ways of saying who is calling (RFC 9110 section 11.6.1): a token, or a device's user name and password. */
const CHALLENGES = 'Bearer, Basic realm="Fieldline", charset="UTF-8"';

/** Packages for devices themselves. */
@ApiTags('Firmware')
@Controller('firmware')
export class DeviceDownloadController {
  constructor(
    @Inject(Firmware) private readonly firmware: Firmware,
    @Inject(Authenticator) private readonly authenticator: Authenticator,
  ) {}

  /** The file of the package that the calling device is to have; a lost download goes on with `Range`. */
  @Public()
  @Get()
  @ApiBearerAuth()
  @ApiBasicAuth()
  @ApiProduces('application/octet-stream')
  @ApiHeader({ name: 'Range', required: false, description: 'The rest of the file, such as bytes=1000-' })
  @ApiResponse({
    status: 200,
    description: 'The file; ETag is its SHA-256, X-Firmware-Title and X-Firmware-Version name it, percent-encoded',
    schema: { type: 'string', format: 'binary' },
  })
  @ApiResponse({ status: 206, description: 'The part of it', schema: { type: 'string', format: 'binary' } })
  @ApiResponse({ status: 304, description: 'If-None-Match names the file' })
  @ApiResponse({ status: 401, description: 'UNAUTHENTICATED, BAD_CREDENTIALS, TOKEN_EXPIRED or TOKEN_REVOKED' })
  @ApiResponse({ status: 403, description: 'DEVICE_DISABLED, or FORBIDDEN for a person' })
  @ApiResponse({ status: 404, description: 'FIRMWARE_NOT_ASSIGNED' })
  @ApiResponse({ status: 416, description: 'RANGE_NOT_SATISFIABLE' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT' })
  async download(
    @Headers('authorization') authorization: string | undefined,
    @Query({ schema: KindQuery }) { kind }: KindQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile | undefined> {
    const { id } = await this.callerOf(authorization, response);
    const assigned = await this.firmware.assigned(id, kind);
    if (!assigned) throw new CodedError('FIRMWARE_NOT_ASSIGNED', `The device is to have no ${kind}.`);
    const stream = (offset: number, length: number) => this.firmware.stream(assigned.package, offset, length, id);
    return answerFile(request, response, { ...assigned, stream });
  }

  private async callerOf(authorization: string | undefined, response: Response): Promise<DeviceRef> {
    try {
      const { principal } = await this.authenticator.authenticate(credentialsOf(authorization));
      if (principal.kind === 'device') return principal.device;
    } catch (thrown) {
      if (thrown instanceof CodedError && thrown.status === 401) response.setHeader('WWW-Authenticate', CHALLENGES);
      throw thrown;
    }
    throw new CodedError('FORBIDDEN', 'This is for devices: people load GET /api/firmware/{id}/file.');
  }
}
