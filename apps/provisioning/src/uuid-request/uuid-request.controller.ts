import { Controller, Get, Header, Headers, Inject, Query, UseGuards } from '@nestjs/common';
import { ApiHeader, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { bearerToken } from '#access';
import { CodedError } from '#contracts';
import { RpcClient } from '#messaging';
import { invalidInput, Public } from '#platform';
import { RateGuard } from '../rate/rate.guard.ts';
import { DeviceKeys, type KeyedKind } from './device-keys.ts';
import { Refused } from './result-codes.ts';

/** Injection symbol: may only devices that the registry has ask for a token? */
export const ONLY_KNOWN = Symbol('ONLY_KNOWN');

const Granted = z.object({ c: z.literal('OK'), t: z.string() }).meta({ id: 'DeviceRequestReply' });
type Granted = z.output<typeof Granted>;

const UuidQuery = z.object({ uuid: z.uuid(), master: z.uuid().optional() });

/** The way in for devices that bring a uuid, and know the secret key of their kind. */
@ApiTags('provisioning')
@Public()
@UseGuards(RateGuard)
@Controller('auth/devices/request')
export class UuidRequestController {
  constructor(
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(DeviceKeys) private readonly keys: DeviceKeys,
    @Inject(ONLY_KNOWN) private readonly onlyKnown: boolean,
  ) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  @ApiHeader({ name: 'x-secret-key', required: false, description: 'Or as Authorization: Bearer <key>' })
  @ApiQuery({ name: 'uuid', required: true, description: 'The id of the device' })
  @ApiQuery({ name: 'master', required: false, description: 'An agent without a master gets this one' })
  @ApiResponse({ status: 200, description: 'A JSON web token of the device', standardSchema: Granted })
  @ApiResponse({ status: 400, description: 'ERROR: the uuid or the master is malformed', standardSchema: Refused })
  @ApiResponse({ status: 403, description: 'FORBIDDEN: not with this key', standardSchema: Refused })
  @ApiResponse({ status: 404, description: 'NOT_REGISTERED: the device or its master', standardSchema: Refused })
  @ApiResponse({ status: 429, description: 'ERROR, with Retry-After', standardSchema: Refused })
  @ApiResponse({ status: 503, description: 'ERROR, with Retry-After', standardSchema: Refused })
  async request(
    @Headers('x-secret-key') secretKey: string | undefined,
    @Headers('authorization') authorization: string | undefined,
    @Query() query: unknown,
  ): Promise<Granted> {
    const kind = this.kindOf(secretKey ?? bearerToken(authorization));
    const { uuid, master: masterUuid } = UuidQuery.parse(query);
    if (masterUuid !== undefined && kind !== 'agent') throw invalidInput('/master', 'is for agents only');
    const { token } = await this.rpc.call('registry.devices.requestByUuid', {
      uuid,
      kind,
      masterUuid,
      onlyKnown: this.onlyKnown,
    });
    return { c: 'OK', t: token };
  }

  private kindOf(key: string | undefined): KeyedKind {
    const kind = key === undefined ? undefined : this.keys.kindOf(key);
    if (kind) return kind;
    throw new CodedError('FORBIDDEN', 'The secret key is missing, or is neither that of masters nor that of agents.');
  }
}
