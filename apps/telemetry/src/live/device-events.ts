import { Inject, Injectable } from '@nestjs/common';
import { DeviceEvent, deviceEventsSubject } from '#contracts';
import { BUS, type Bus, type Unsubscribe } from '#messaging';

/** What happens to devices besides their readings, for viewers on every replica. */
@Injectable()
export class DeviceEvents {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  /** Tells everybody who watches the device; never throws. */
  tell(deviceId: string, event: DeviceEvent): void {
    const subject = deviceEventsSubject(deviceId);
    if (this.bus.reaches(subject)) this.bus.publish(subject, JSON.stringify(event));
  }

  /** Calls back with what happens to the device from now on, and about how many bytes it takes. */
  watch(deviceId: string, hear: (event: DeviceEvent, bytes: number) => void): Unsubscribe {
    return this.bus.subscribe(deviceEventsSubject(deviceId), (text) => {
      hear(DeviceEvent.parse(JSON.parse(text)), text.length);
    });
  }
}
