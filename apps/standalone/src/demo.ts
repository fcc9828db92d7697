import { startFleet, type Fleet } from '../../iot-device/src/fleet.ts';
import { ownDevices } from '../../iot-device/src/ways.ts';
import type { Log } from '#platform';

/** How many devices the demo has. */
export const DEMO_DEVICES = 5;

/** Locally administered MAC addresses (IEEE 802 section 8.2.2), so that no real device has them. */
const MAC_PREFIX = '02:DE:50';

/** A small simulated fleet that gets in by debug provisioning, as real devices could. */
export const startDemo = (url: string, log: Log): Promise<Fleet> =>
  startFleet({
    url,
    access: ownDevices({ way: 'debug', macPrefix: MAC_PREFIX }, { url, devices: DEMO_DEVICES }),
    devices: DEMO_DEVICES,
    sensors: ['temperature', 'humidity', 'battery'],
    rate: 3,
    location: 'demo',
    listener: {
      failed: (error) => {
        log.error({ err: error }, 'the simulated fleet cannot go on');
      },
    },
  });
