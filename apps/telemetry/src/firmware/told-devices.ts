import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { AttributesDelivery } from '../attributes/attributes-delivery.ts';
import { Firmware } from './firmware.service.ts';
import { kindsIn } from './package-attributes.ts';

/** Notes which devices have learnt of their packages. */
@Injectable()
export class ToldDevices implements OnApplicationBootstrap {
  constructor(
    @Inject(AttributesDelivery) private readonly delivery: AttributesDelivery,
    @Inject(Firmware) private readonly firmware: Firmware,
  ) {}

  onApplicationBootstrap(): void {
    this.delivery.onDelivered((deviceId, { changed }) => {
      for (const kind of kindsIn(changed)) this.firmware.told(deviceId, kind);
    });
  }
}
