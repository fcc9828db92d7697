import { Controller, Get, Headers, Inject, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { z } from 'zod';
import { areWithinBounds, credentialsOf, DeviceCredentials } from '#access';
import { CodedError } from '#contracts';
import { Public } from '#platform';
import { Refused } from '../uuid-request/result-codes.ts';

/** Injection symbol of the {@link MqttAddress}. */
export const MQTT_ADDRESS = Symbol('MQTT_ADDRESS');

/** The port that is registered for MQTT. */
export const REGISTERED_PORT = 1_883;

/** Where devices reach MQTT. */
export interface MqttAddress {
  /** `host:port`; undefined for the host that was asked. */
  publicAddress: string | undefined;
  /** The port on that host. */
  port: number;
}

const Address = z.object({ c: z.literal('OK'), ip: z.string() }).meta({ id: 'MqttAddress' });
type Address = z.output<typeof Address>;

/** Tells devices where to connect to. */
@ApiTags('provisioning')
@Public()
@Controller('mqtt')
export class MqttAddressController {
  constructor(
    @Inject(DeviceCredentials) private readonly credentials: DeviceCredentials,
    @Inject(MQTT_ADDRESS) private readonly address: MqttAddress,
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
    const { publicAddress, port } = this.address;
    return { c: 'OK', ip: publicAddress ?? `${request.hostname}:${String(port)}` };
  }
}
