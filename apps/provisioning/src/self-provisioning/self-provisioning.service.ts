import { Inject, Injectable } from '@nestjs/common';
import {
  CodedError,
  type ErrorCode,
  type SelfProvisioning as Request,
  type SelfProvisioningReply as Reply,
} from '#contracts';
import { RpcClient } from '#messaging';
import { KeyUses } from '../provisioning-keys/key-uses.ts';
import type { ProvisioningKeyEntity } from '../provisioning-keys/provisioning-key.entity.ts';
import { ProvisioningKeys } from '../provisioning-keys/provisioning-keys.service.ts';
import { AddressRate } from '../rate/address-rate.ts';
import { askedCredentials, credentialsReply } from './asked-credentials.ts';
import { deviceNameOf } from './device-name.ts';

/** How long the registry may take, in ms: of many devices that come at once, each waits for its turn. */
const TIMEOUT_MS = 15_000;

/** Refusals of the key: to a device, there is none that would let it in. */
const OF_KEY = new Set<ErrorCode>(['BAD_CREDENTIALS', 'TOKEN_EXPIRED', 'PROVISIONING_KEY_USED_UP']);
/** Refusals of what it asks for, which asking again does not mend. */
const OF_REQUEST = new Set<ErrorCode>([
  'INVALID_INPUT',
  'CONFLICT',
  'DEVICE_EXISTS',
  'DEVICE_DISABLED',
  'DEVICE_LIMIT_REACHED',
  'CREDENTIAL_LIMIT_REACHED',
]);

/** Devices that provision themselves over ThingsBoard's device API, with the id and the secret of a provisioning key. */
@Injectable()
export class SelfProvisioning {
  constructor(
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(ProvisioningKeys) private readonly keys: ProvisioningKeys,
    @Inject(KeyUses) private readonly uses: KeyUses,
    @Inject(AddressRate) private readonly rate: AddressRate,
  ) {}

  /** Refusals are replies. Throws `RATE_LIMITED`, and what asking again mends, such as `UNAVAILABLE`. */
  async provision(request: Request): Promise<Reply> {
    this.rate.require(request.address);
    try {
      const key = await this.keys.verifyPair(request.provisionDeviceKey, request.provisionDeviceSecret);
      return await this.letIn(key, request);
    } catch (error) {
      return refusal(error);
    }
  }

  private async letIn({ id: keyId, customerId }: ProvisioningKeyEntity, request: Request): Promise<Reply> {
    const name = deviceNameOf(request.deviceName);
    const credentials = askedCredentials(request);
    const asked = { name, customerId, keyId, gateway: request.gateway ?? false, credentials };
    const got = await this.uses.counted(keyId, `name ${name}`, () =>
      this.rpc.call('registry.devices.selfProvision', asked, TIMEOUT_MS),
    );
    return credentialsReply(got.credentials, request);
  }
}

function refusal(error: unknown): Reply {
  if (!(error instanceof CodedError)) throw error;
  if (OF_KEY.has(error.code)) return { status: 'NOT_FOUND', errorMsg: error.message };
  if (OF_REQUEST.has(error.code)) return { status: 'FAILURE', errorMsg: error.message };
  throw error;
}
