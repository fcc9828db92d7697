import { Controller, Get, Headers, Inject, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { z } from 'zod';
import { areWithinBounds, credentialsOf, DeviceCredentials } from '#access';
import { CodedError } from '#contracts';
import { Public } from '#platform';
import { Refused } from '../uuid-request/result-codes.ts';

/** Injection symbol: where devices reach MQTT, `host:port`; undefined for the port of MQTT on the host that was asked. */
export const MQTT_PUBLIC_ADDRESS = Symbol('MQTT_PUBLIC_ADDRESS');

/** The port that is registered for MQTT. */
const MQTT_PORT = 1_883;

const Address = z.object({ c: z.literal('OK'), ip: z.string() }).meta({ id: 'MqttAddress' });
type Address = z.output<typeof Address>;

/** Tells devices where to connect to. */
@ApiTags('provisioning')
@Public()
@Controller('mqtt')
export class MqttAddressController {
  constructor(
    @Inject(DeviceCredentials) private readonly credentials: DeviceCredentials,
    @Inject(MQTT_PUBLIC_ADDRESS) private readonly address: string | undefined,
  ) {}

  @Get()
  @ApiBearerAuth()
  @ApiResponse({ status: 200, description: 'Where devices reach MQTT, as host:port', standardSchema: Address })
  @ApiResponse({ status: 403, description: "FORBIDDEN: without a device's credentials", standardSchema: Refused })
  @ApiResponse({ status: 404, description: 'NOT_REGISTERED: the device is gone', standardSchema: Refused })
  @ApiResponse({ status: 503, description: 'ERROR, with Retry-After', standardSchema: Refused })
  async tell(
    @Headers('authorization') authorization: string | undefined,
    @Headers('upgrade') upgrade: string | undefined,
    @Req() request: Request,
  ): Promise<Address> {
    if (upgrade?.toLowerCase() === 'websocket')
      throw new CodedError('NOT_FOUND', 'This route does not speak WebSocket.');
    const presented = credentialsOf(authorization);
    if (!presented || !areWithinBounds(presented)) {
      throw new CodedError('UNAUTHENTICATED', 'Send "Authorization: Bearer <token>" with the token of a device.');
    }
    await this.credentials.verify(presented);
    return { c: 'OK', ip: this.address ?? `${request.hostname}:${String(MQTT_PORT)}` };
  }
}
