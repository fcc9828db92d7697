import type { Authenticator } from '#access';
import type { DevicePrincipal, Principal } from '#contracts';
import type { Log } from '#platform';
import type { Connections } from '../connections.ts';
import type { DeviceLinks } from '../device-links.ts';
import type { Budget } from './inbound-messages.ts';
import type { MqttMetrics } from './mqtt.metrics.ts';
import type { ProvisioningHandler, TopicHandler } from './topic-handler.ts';
import type { DeviceApiTopic, OwnTopic } from './topics.ts';
import type { WillNote } from './will.ts';

/** What becomes of a device's connection besides being there or not. */
export type ConnectionNote = WillNote | { kind: 'refused'; reason: string; topic: string | null };

/** What every session of this replica uses of the rest of the house. */
export interface MqttServices {
  readonly authenticator: Pick<Authenticator, 'authenticate'>;
  readonly connections: Pick<Connections, 'add' | 'remove'>;
  readonly links: Pick<DeviceLinks, 'open' | 'close' | 'ready' | 'notReady'>;
  readonly handlers: Readonly<Partial<Record<OwnTopic | DeviceApiTopic, TopicHandler>>>;
  readonly provision: ProvisioningHandler | undefined;
  /** Are these two each other's master and agent? */
  readonly isPair: (principal: DevicePrincipal, otherId: string) => Promise<boolean>;
  /** Takes one message from what the sender may send. Throws `RATE_LIMITED`. */
  readonly count: (principal: Principal) => void;
  /** Keeps it with the device's connection record and tells viewers. */
  readonly note: (deviceId: string, note: ConnectionNote) => void;
  /** Keeps a will of a link that was lost, for its delay in seconds. */
  readonly keepWill: (deviceId: string, will: WillNote, delaySeconds: number) => void;
  readonly budget: Budget;
  readonly metrics: MqttMetrics;
  readonly log: Log;
  readonly now: () => number;
}
