import type { AttributesChange, CommandView, DeviceRef, ErrorBody } from '#contracts';

/** By what a device is linked to the platform; `gateway` is a device behind one. */
export type LinkVia = 'mqtt' | 'socket' | 'http' | 'gateway';

/** What a device can be told over a link. */
export type Topic = 'commands' | 'attributes';

/** A change of shared attributes as it is told to a device. */
export type AttributesUpdate = Pick<AttributesChange, 'version' | 'changed' | 'deleted'>;

/** One connection over which the platform speaks to one device, whatever its transport is. */
export interface DeviceLink {
  /** UUID version 7. */
  readonly id: string;
  readonly device: DeviceRef;
  readonly via: LinkVia;
  /** Where it comes from, an IP address. */
  readonly address: string;
  /** Such as `MQTT 5` or `socket.io websocket`. */
  readonly protocol: string;
  readonly clientId: string | null;
  /** When something last came from the device, ms since the epoch. */
  readonly lastSeen: number;
  /**
   * Sends a command; `delivered` is called once the device has it. Resolves once it was written, rejects if it cannot be.
   * The device's answer comes by the commands' own way, whenever it comes.
   */
  sendCommand(command: CommandView, delivered: () => void): Promise<void>;
  /** Resolves once the device has it; rejects if the link ends before. */
  sendAttributes(update: AttributesUpdate): Promise<void>;
  /** Something from its master or agent, as it is. False if the device does not listen to it. */
  relay?(from: string, topic: string, payload: Buffer): boolean;
  /** Tells the device why and closes. */
  close(reason: ErrorBody): void;
}
