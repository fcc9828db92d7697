import { Body, Controller, Headers, HttpCode, Inject, Ip, Post, Res } from '@nestjs/common';
import { ApiBasicAuth, ApiBearerAuth, ApiBody, ApiHeader, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Authenticator, credentialsOf } from '#access';
import { CodedError, ReadingsPayload, Receipt, type Principal, type Receipt as ReceiptType } from '#contracts';
import { Public } from '#platform';
import { Presence } from '../presence/presence.service.ts';
import { Ingest } from './ingest.ts';
import { IngestLimits } from './ingest-limits.ts';

/** Only described, not checked here: ingestion checks reading by reading. */
const BODY = { required: true, standardSchema: ReadingsPayload };

/** Both ways of saying who is calling (RFC 9110 section 11.6.1): a token, or a device's user name and password. */
const CHALLENGES = 'Bearer, Basic realm="Fieldline", charset="UTF-8"';

/** Readings over HTTP. */
@ApiTags('Readings')
@Controller('telemetry')
export class TelemetryController {
  constructor(
    @Inject(Ingest) private readonly ingest: Ingest,
    @Inject(IngestLimits) private readonly limits: IngestLimits,
    @Inject(Presence) private readonly presence: Presence,
    @Inject(Authenticator) private readonly authenticator: Authenticator,
  ) {}

  /** Takes a reading or an array of them from a device or a person; 200 means that every accepted one is durable. */
  @Public()
  @Post()
  @HttpCode(200)
  @ApiBearerAuth()
  @ApiBasicAuth()
  @ApiHeader({ name: 'X-Batch-Id', required: false, description: 'Makes a batch that is sent again recognisable' })
  @ApiBody(BODY)
  @ApiResponse({ status: 200, description: 'The receipt: accepted readings are durable', standardSchema: Receipt })
  @ApiResponse({ status: 401, description: 'UNAUTHENTICATED, BAD_CREDENTIALS, TOKEN_EXPIRED or TOKEN_REVOKED' })
  @ApiResponse({ status: 403, description: 'DEVICE_DISABLED' })
  @ApiResponse({ status: 413, description: 'BATCH_TOO_LARGE or BODY_TOO_LARGE' })
  @ApiResponse({ status: 422, description: 'BATCH_EMPTY or BAD_BATCH_ID' })
  @ApiResponse({ status: 429, description: 'RATE_LIMITED, with Retry-After' })
  @ApiResponse({ status: 503, description: 'BUSY, with Retry-After: send the same batch again' })
  async receive(
    @Headers('authorization') authorization: string | undefined,
    @Headers('x-batch-id') batchId: string | undefined,
    @Body() payload: unknown,
    @Ip() address: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ReceiptType> {
    const principal = await this.callerOf(authorization, response);
    if (principal.kind === 'device') this.presence.heard(principal.device, { via: 'http', address });
    this.limits.take(principal);
    try {
      if (payload === undefined)
        throw new CodedError('BATCH_EMPTY', 'The body must be a reading or an array of readings.');
      return await this.ingest.accept(principal, payload, batchId);
    } catch (thrown) {
      this.limits.countRefusal(thrown);
      throw thrown;
    }
  }

  private async callerOf(authorization: string | undefined, response: Response): Promise<Principal> {
    try {
      return (await this.authenticator.authenticate(credentialsOf(authorization))).principal;
    } catch (thrown) {
      if (thrown instanceof CodedError && thrown.status === 401) response.setHeader('WWW-Authenticate', CHALLENGES);
      throw thrown;
    }
  }
}
