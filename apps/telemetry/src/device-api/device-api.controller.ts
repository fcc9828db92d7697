import { Body, Controller, Get, Headers, HttpCode, Inject, Ip, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { SelfProvisioningReply, type SelfProvisioningReply as ProvisioningReply } from '#contracts';
import { RpcClient } from '#messaging';
import { Public } from '#platform';
import { Attributes } from '../attributes/attributes.service.ts';
import { Commands } from '../commands/commands.service.ts';
import { attributesReply, wantedOf } from './attribute-payloads.ts';
import { answerCall, SESSION_LIMITS } from './calls.ts';
import { ClaimAnnouncements } from './claim-announcements.ts';
import { parseClaim } from './claim-payload.ts';
import {
  AttributesBody,
  AttributesView,
  CallBody,
  ClaimBody,
  CommandSent,
  DeviceApiError,
  ProvisioningBody,
  SessionLimitsView,
  TelemetryBody,
  UploadReceiptView,
} from './device-api.schemas.ts';
import { HttpDevices } from './http-devices.ts';
import { HttpPolls } from './http-polls.ts';
import { PackageDownloads, type DownloadQuery } from './package-download.ts';
import { objectOf, type JsonObject } from './payload.ts';
import { parseProvisioning } from './provisioning-payload.ts';
import { queriedNames, timeoutOf, type Queried } from './query.ts';
import { numberOf, outcomeOf, type SessionLimits } from './rpc-payloads.ts';
import { parseTelemetry } from './telemetry-payload.ts';
import { refuseIfNothingWasKept, TelemetryUploads, type UploadReceipt } from './telemetry-uploads.ts';

/** Only described, not checked here: the parsers of payloads check. */
const TELEMETRY = { required: true, standardSchema: TelemetryBody };
const ATTRIBUTES = { required: true, standardSchema: AttributesBody };
const ANSWER = { required: false, description: 'Any JSON', standardSchema: AttributesBody };
const CALL = { required: true, standardSchema: CallBody };
const CLAIM = { required: false, standardSchema: ClaimBody };
const PROVISIONING = { required: true, standardSchema: ProvisioningBody };

const TOKEN = { name: 'token', description: "The device's access token" };
const TIMEOUT = {
  name: 'timeout',
  required: false,
  description: 'How long to wait, in ms: 60000 if it is missing or 0, 300000 at most',
};
const BAD = { status: 400, description: 'What was sent is not what the route takes', standardSchema: DeviceApiError };
const UNKNOWN = { status: 401, description: 'There is no device with this token; the body is empty' };
const DISABLED = { status: 403, description: 'DEVICE_DISABLED', standardSchema: DeviceApiError };
const LIMITED = { status: 429, description: 'RATE_LIMITED, with Retry-After', standardSchema: DeviceApiError };
const LATER = {
  status: 503,
  description: 'BUSY or UNAVAILABLE, with Retry-After: send it again',
  standardSchema: DeviceApiError,
};
const NOTHING = { status: 408, description: 'Nothing came in time; the body is empty' };

/** ThingsBoard's HTTP device API. Bodies are JSON whatever their type says. */
@ApiTags('Device API (ThingsBoard)')
@Public()
@Controller('api/v1')
export class DeviceApiController {
  constructor(
    @Inject(HttpDevices) private readonly devices: HttpDevices,
    @Inject(TelemetryUploads) private readonly uploads: TelemetryUploads,
    @Inject(Attributes) private readonly attributes: Attributes,
    @Inject(Commands) private readonly commands: Commands,
    @Inject(HttpPolls) private readonly polls: HttpPolls,
    @Inject(ClaimAnnouncements) private readonly claims: ClaimAnnouncements,
    @Inject(PackageDownloads) private readonly downloads: PackageDownloads,
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(SESSION_LIMITS) private readonly limits: SessionLimits,
  ) {}

  /** Takes telemetry; 200 means that it is durable. The body is empty, or a receipt where a value was not kept. */
  @Post(':token/telemetry')
  @HttpCode(200)
  @ApiParam(TOKEN)
  @ApiHeader({ name: 'X-Batch-Id', required: false, description: 'Makes telemetry that is sent again recognisable' })
  @ApiBody(TELEMETRY)
  @ApiResponse({ status: 200, description: 'Durable; empty if all was kept', standardSchema: UploadReceiptView })
  @ApiResponse(BAD)
  @ApiResponse(UNKNOWN)
  @ApiResponse(DISABLED)
  @ApiResponse({ status: 413, description: 'BODY_TOO_LARGE', standardSchema: DeviceApiError })
  @ApiResponse(LIMITED)
  @ApiResponse(LATER)
  async telemetry(
    @Param('token') token: string,
    @Headers('x-batch-id') batchId: string | undefined,
    @Ip() address: string,
    @Body() document: unknown,
  ): Promise<UploadReceipt | undefined> {
    const principal = await this.devices.heard(token, address);
    const upload = { device: principal.device, telemetry: parseTelemetry(document) };
    const receipt = await this.uploads.accept(principal, [upload], batchId);
    refuseIfNothingWasKept(receipt);
    return receipt.rejected.length === 0 ? undefined : receipt;
  }

  /** Takes client attributes. */
  @Post(':token/attributes')
  @HttpCode(200)
  @ApiParam(TOKEN)
  @ApiBody(ATTRIBUTES)
  @ApiResponse({ status: 200, description: 'Durable; empty' })
  @ApiResponse(BAD)
  @ApiResponse(UNKNOWN)
  @ApiResponse(LIMITED)
  @ApiResponse(LATER)
  async report(@Param('token') token: string, @Ip() address: string, @Body() document: unknown): Promise<void> {
    const { device } = await this.devices.heard(token, address);
    await this.attributes.report(device, objectOf(document, 'Attributes'));
  }

  /** Client and shared attributes: those that are named, or all. */
  @Get(':token/attributes')
  @ApiParam(TOKEN)
  @ApiQuery({ name: 'clientKeys', required: false, description: 'Names joined by commas' })
  @ApiQuery({ name: 'sharedKeys', required: false, description: 'Names joined by commas' })
  @ApiResponse({ status: 200, description: 'What was found', standardSchema: AttributesView })
  @ApiResponse(UNKNOWN)
  @ApiResponse(LIMITED)
  @ApiResponse(LATER)
  async read(
    @Param('token') token: string,
    @Ip() address: string,
    @Query('clientKeys') clientKeys: Queried,
    @Query('sharedKeys') sharedKeys: Queried,
  ): Promise<object> {
    const { device } = await this.devices.heard(token, address);
    const wanted = wantedOf(queriedNames(clientKeys), queriedNames(sharedKeys));
    return attributesReply(await this.attributes.read(device.id, wanted));
  }

  /** Waits for a change of shared attributes; changes that the device has missed come at once. */
  @Get(':token/attributes/updates')
  @ApiParam(TOKEN)
  @ApiQuery(TIMEOUT)
  @ApiResponse({
    status: 200,
    description: 'What changed; what was removed is under `deleted`',
    standardSchema: AttributesBody,
  })
  @ApiResponse(BAD)
  @ApiResponse(UNKNOWN)
  @ApiResponse(NOTHING)
  @ApiResponse(LIMITED)
  @ApiResponse(LATER)
  async updates(
    @Param('token') token: string,
    @Ip() address: string,
    @Query('timeout') timeout: Queried,
    @Res() response: Response,
  ): Promise<void> {
    const request = { token, address, topic: 'attributes', timeoutMs: timeoutOf(timeout) } as const;
    this.polls.wait(await this.devices.verified(token), request, response);
  }

  /** Waits for a command; one that waits for the device comes at once. */
  @Get(':token/rpc')
  @ApiParam(TOKEN)
  @ApiQuery(TIMEOUT)
  @ApiResponse({ status: 200, description: 'A command, which has been delivered by that', standardSchema: CommandSent })
  @ApiResponse(BAD)
  @ApiResponse(UNKNOWN)
  @ApiResponse(NOTHING)
  @ApiResponse(LIMITED)
  @ApiResponse(LATER)
  async command(
    @Param('token') token: string,
    @Ip() address: string,
    @Query('timeout') timeout: Queried,
    @Res() response: Response,
  ): Promise<void> {
    const request = { token, address, topic: 'commands', timeoutMs: timeoutOf(timeout) } as const;
    this.polls.wait(await this.devices.verified(token), request, response);
  }

  /** Answers a command; an object that has only an `error` says that it failed. Answers that nobody waits for are ignored. */
  @Post(':token/rpc/:id')
  @HttpCode(200)
  @ApiParam(TOKEN)
  @ApiParam({ name: 'id', description: 'The `id` of the command' })
  @ApiBody(ANSWER)
  @ApiResponse({ status: 200, description: 'Taken; empty' })
  @ApiResponse(BAD)
  @ApiResponse(UNKNOWN)
  @ApiResponse(LIMITED)
  async answer(
    @Param('token') token: string,
    @Param('id') id: string,
    @Ip() address: string,
    @Body() document: unknown,
  ): Promise<void> {
    const { device } = await this.devices.heard(token, address);
    await this.commands.answer(device.id, { number: numberOf(id, 'The id of a command') }, outcomeOf(document ?? null));
  }

  /** Asks the platform: `getSessionLimits`; every other method is answered with an `error`. */
  @Post(':token/rpc')
  @HttpCode(200)
  @ApiParam(TOKEN)
  @ApiBody(CALL)
  @ApiResponse({ status: 200, description: 'The reply', standardSchema: SessionLimitsView })
  @ApiResponse(BAD)
  @ApiResponse(UNKNOWN)
  @ApiResponse(LIMITED)
  async call(@Param('token') token: string, @Ip() address: string, @Body() document: unknown): Promise<JsonObject> {
    const { device } = await this.devices.heard(token, address);
    return answerCall(document, this.limits, device.kind === 'gateway');
  }

  /** Says that whoever knows the secret may claim the device. */
  @Post(':token/claim')
  @HttpCode(200)
  @ApiParam(TOKEN)
  @ApiBody(CLAIM)
  @ApiResponse({ status: 200, description: 'Taken, whether or not the device can be claimed; empty' })
  @ApiResponse(BAD)
  @ApiResponse(UNKNOWN)
  @ApiResponse(LIMITED)
  @ApiResponse(LATER)
  async claim(@Param('token') token: string, @Ip() address: string, @Body() document: unknown): Promise<void> {
    const { device } = await this.devices.heard(token, address);
    await this.claims.announce(device, parseClaim(document), '/api/v1/***/claim');
  }

  /** The assigned firmware, or a chunk of it; a chunk beyond the end is empty. */
  @Get(':token/firmware')
  @ApiParam(TOKEN)
  @ApiQuery({ name: 'title' })
  @ApiQuery({ name: 'version' })
  @ApiQuery({ name: 'size', required: false, description: 'Bytes of a chunk; all of it if it is 0 or missing' })
  @ApiQuery({ name: 'chunk', required: false, description: 'From 0' })
  @ApiResponse({ status: 200, description: 'The bytes' })
  @ApiResponse({ status: 400, description: 'Another title or version is assigned', standardSchema: DeviceApiError })
  @ApiResponse(UNKNOWN)
  @ApiResponse({ status: 404, description: 'FIRMWARE_NOT_ASSIGNED', standardSchema: DeviceApiError })
  @ApiResponse(LIMITED)
  async firmware(
    @Param('token') token: string,
    @Ip() address: string,
    @Query() query: DownloadQuery,
    @Res() response: Response,
  ): Promise<void> {
    const { device } = await this.devices.heard(token, address);
    await this.downloads.answer(device.id, 'firmware', query, response);
  }

  /** The assigned software, or a chunk of it, as with firmware. */
  @Get(':token/software')
  @ApiParam(TOKEN)
  @ApiQuery({ name: 'title' })
  @ApiQuery({ name: 'version' })
  @ApiQuery({ name: 'size', required: false, description: 'Bytes of a chunk; all of it if it is 0 or missing' })
  @ApiQuery({ name: 'chunk', required: false, description: 'From 0' })
  @ApiResponse({ status: 200, description: 'The bytes' })
  @ApiResponse({ status: 400, description: 'Another title or version is assigned', standardSchema: DeviceApiError })
  @ApiResponse(UNKNOWN)
  @ApiResponse({ status: 404, description: 'FIRMWARE_NOT_ASSIGNED', standardSchema: DeviceApiError })
  @ApiResponse(LIMITED)
  async software(
    @Param('token') token: string,
    @Ip() address: string,
    @Query() query: DownloadQuery,
    @Res() response: Response,
  ): Promise<void> {
    const { device } = await this.devices.heard(token, address);
    await this.downloads.answer(device.id, 'software', query, response);
  }

  /** A device makes itself known with a provisioning key; what became of it is the status in the body. */
  @Post('provision')
  @HttpCode(200)
  @ApiBody(PROVISIONING)
  @ApiResponse({
    status: 200,
    description: 'SUCCESS with credentials, NOT_FOUND or FAILURE',
    standardSchema: SelfProvisioningReply,
  })
  @ApiResponse(BAD)
  @ApiResponse(LIMITED)
  @ApiResponse(LATER)
  provision(@Ip() address: string, @Body() document: unknown): Promise<ProvisioningReply> {
    return this.rpc.call('provisioning.selfProvision', parseProvisioning(document, address));
  }
}
