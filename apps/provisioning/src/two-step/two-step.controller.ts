import { Body, Controller, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { RpcClient } from '#messaging';
import { Public } from '#platform';
import { RateGuard } from '../rate/rate.guard.ts';
import { ActivateRequest, Reason, RegisterReply, RegisterRequest } from './two-step.schemas.ts';

/** The way in for devices that know no more than their customer's number and their MAC address. */
@ApiTags('provisioning')
@Public()
@UseGuards(RateGuard)
@ApiResponse({ status: 403, description: 'The reason', standardSchema: Reason })
@ApiResponse({ status: 422, description: 'Which field is wrong', standardSchema: Reason })
@ApiResponse({ status: 429, description: 'Too many from this address, with Retry-After', standardSchema: Reason })
@ApiResponse({ status: 503, description: 'Try again, with Retry-After', standardSchema: Reason })
@Controller('provisioning')
export class TwoStepController {
  constructor(@Inject(RpcClient) private readonly rpc: RpcClient) {}

  /** 403 for a customer that nobody knows, one that is full, and a device that is activated already. */
  @Post('register')
  @ApiResponse({
    status: 201,
    description: 'A password, which works once it is activated; one that was given out before is void',
    standardSchema: RegisterReply,
  })
  async register(
    @Body({ schema: RegisterRequest }) { customer_id: customerNumber, mac_address: macAddress }: RegisterRequest,
  ): Promise<RegisterReply> {
    const { password } = await this.rpc.call('registry.twoStep.register', { customerNumber, macAddress });
    return { password };
  }

  /** 403 for a device that did not register, and for a password that is not the last one given out. */
  @Post('activate')
  @HttpCode(200)
  @ApiResponse({ status: 200, description: 'The password works; no payload. A second time, without effect' })
  async activate(
    @Body({ schema: ActivateRequest })
    { customer_id: customerNumber, mac_address: macAddress, password }: ActivateRequest,
  ): Promise<void> {
    await this.rpc.call('registry.twoStep.activate', { customerNumber, macAddress, password });
  }
}
