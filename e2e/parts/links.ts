import { describe } from '@jest/globals';
import type { House } from '../house.ts';
import { attributes } from './links/attributes.ts';
import { commands } from './links/commands.ts';
import { firmware } from './links/firmware.ts';
import { mqtt } from './links/mqtt.ts';
import { presence } from './links/presence.ts';
import { relay } from './links/relay.ts';
import { sdk } from './links/sdk.ts';

/** Devices that speak MQTT, and what the platform says to devices. */
export function links(house: () => House): void {
  describe('a device is linked', () => {
    mqtt(house);
    relay(house);
    commands(house);
    attributes(house);
    presence(house);
    firmware(house);
    sdk(house);
  });
}
