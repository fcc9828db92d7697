import type { DevicePrincipal } from '#contracts';
import type { Topic } from '../device-link.ts';
import type { ProvisioningHandler, TopicHandler } from './topic-handler.ts';

/**
 * Who may use a topic: any device; a gateway; a device and its master, of each other; or somebody who has not been let in as a device and
 * may only provision one.
 */
export type Who = 'device' | 'gateway' | 'pair' | 'provisioning';

/** The topics of the platform itself. */
export type OwnTopic = 'readings' | 'ping' | 'relay';

/** The topics of ThingsBoard's device API. */
export type DeviceApiTopic =
  | 'telemetry'
  | 'attributes'
  | 'attributesRequest'
  | 'rpcRequest'
  | 'rpcResponse'
  | 'claim'
  | 'firmwareChunk'
  | 'protobuf'
  | 'gatewayConnect'
  | 'gatewayDisconnect'
  | 'gatewayTelemetry'
  | 'gatewayAttributes'
  | 'gatewayAttributesRequest'
  | 'gatewayRpc'
  | 'gatewayClaim';

/** What takes in each of ThingsBoard's topics, injected by {@link MQTT_HANDLERS}. */
export type DeviceApiHandlers = Readonly<Partial<Record<DeviceApiTopic, TopicHandler>>> & {
  /** Takes in `/provision/request`. */
  readonly provision?: ProvisioningHandler;
};

/** Injection symbol of {@link DeviceApiHandlers}. */
export const MQTT_HANDLERS = Symbol('MQTT_HANDLERS');

/** One kind of topic: what it looks like, who may do what with it, and what happens then. */
export interface TopicRule {
  /**
   * `+` is any one level; `{id}` the device's own id, or `me`; `{pair}` the id of its master or agent (or, to subscribe, its own). As a
   * filter, it is subscribed to as it stands here. Those that begin with `device/` may begin with `/device/` as well.
   */
  readonly pattern: string;
  readonly publish?: Who;
  readonly subscribe?: Who;
  readonly handler?: OwnTopic | DeviceApiTopic | 'provision';
  /** What the device takes from when it has subscribed. */
  readonly opens?: Topic;
  /** Messages are worked on beside others of the session: readings have times of their own. Others wait for the one before. */
  readonly unordered?: true;
}

/** Every topic that there is. What is not here can be neither published on nor subscribed to. */
export const TOPICS: readonly TopicRule[] = [
  { pattern: 'device/{id}/data', publish: 'device', subscribe: 'device', handler: 'readings', unordered: true },
  { pattern: 'device/{id}/ping', publish: 'device', subscribe: 'device', handler: 'ping' },
  { pattern: 'device/{pair}/master', publish: 'pair', subscribe: 'pair', handler: 'relay' },

  { pattern: 'v1/devices/me/telemetry', publish: 'device', handler: 'telemetry', unordered: true },
  { pattern: 'v2/t', publish: 'device', handler: 'telemetry', unordered: true },
  { pattern: 'v2/t/j', publish: 'device', handler: 'telemetry', unordered: true },
  // Forms for Protocol Buffers, refused with words that say what to send instead.
  { pattern: 'v2/t/p', publish: 'device', handler: 'protobuf' },
  { pattern: 'v2/a/p', publish: 'device', handler: 'protobuf' },
  { pattern: 'v2/a/req/p/+', publish: 'device', handler: 'protobuf' },
  { pattern: 'v2/r/req/p/+', publish: 'device', handler: 'protobuf' },
  { pattern: 'v2/r/res/p/+', publish: 'device', handler: 'protobuf' },

  {
    pattern: 'v1/devices/me/attributes',
    publish: 'device',
    subscribe: 'device',
    handler: 'attributes',
    opens: 'attributes',
  },
  { pattern: 'v2/a', publish: 'device', subscribe: 'device', handler: 'attributes', opens: 'attributes' },
  { pattern: 'v2/a/j', publish: 'device', subscribe: 'device', handler: 'attributes', opens: 'attributes' },
  { pattern: 'v1/devices/me/attributes/request/+', publish: 'device', handler: 'attributesRequest' },
  { pattern: 'v2/a/req/+', publish: 'device', handler: 'attributesRequest' },
  { pattern: 'v2/a/req/j/+', publish: 'device', handler: 'attributesRequest' },
  { pattern: 'v1/devices/me/attributes/response/+', subscribe: 'device' },
  { pattern: 'v2/a/res/+', subscribe: 'device' },
  { pattern: 'v2/a/res/j/+', subscribe: 'device' },

  {
    pattern: 'v1/devices/me/rpc/request/+',
    publish: 'device',
    subscribe: 'device',
    handler: 'rpcRequest',
    opens: 'commands',
  },
  { pattern: 'v2/r/req/+', publish: 'device', subscribe: 'device', handler: 'rpcRequest', opens: 'commands' },
  { pattern: 'v2/r/req/j/+', publish: 'device', subscribe: 'device', handler: 'rpcRequest', opens: 'commands' },
  { pattern: 'v1/devices/me/rpc/response/+', publish: 'device', subscribe: 'device', handler: 'rpcResponse' },
  { pattern: 'v2/r/res/+', publish: 'device', subscribe: 'device', handler: 'rpcResponse' },
  { pattern: 'v2/r/res/j/+', publish: 'device', subscribe: 'device', handler: 'rpcResponse' },

  { pattern: 'v1/devices/me/claim', publish: 'device', handler: 'claim' },

  { pattern: 'v2/fw/request/+/chunk/+', publish: 'device', handler: 'firmwareChunk' },
  { pattern: 'v2/sw/request/+/chunk/+', publish: 'device', handler: 'firmwareChunk' },
  { pattern: 'v2/fw/response/+/chunk/+', subscribe: 'device' },
  { pattern: 'v2/sw/response/+/chunk/+', subscribe: 'device' },
  // The Python SDK subscribes to these, which match none of the topics that it is answered on.
  { pattern: 'v2/fw/response/+', subscribe: 'device' },
  { pattern: 'v2/sw/response/+', subscribe: 'device' },
  { pattern: 'v2/fw/error', subscribe: 'device' },
  { pattern: 'v2/sw/error', subscribe: 'device' },

  { pattern: 'v1/gateway/connect', publish: 'gateway', handler: 'gatewayConnect' },
  { pattern: 'v1/gateway/disconnect', publish: 'gateway', subscribe: 'gateway', handler: 'gatewayDisconnect' },
  { pattern: 'v1/gateway/telemetry', publish: 'gateway', handler: 'gatewayTelemetry', unordered: true },
  { pattern: 'v1/gateway/attributes', publish: 'gateway', subscribe: 'gateway', handler: 'gatewayAttributes' },
  { pattern: 'v1/gateway/attributes/request', publish: 'gateway', handler: 'gatewayAttributesRequest' },
  { pattern: 'v1/gateway/attributes/response', subscribe: 'gateway' },
  { pattern: 'v1/gateway/rpc', publish: 'gateway', subscribe: 'gateway', handler: 'gatewayRpc' },
  { pattern: 'v1/gateway/claim', publish: 'gateway', handler: 'gatewayClaim' },

  { pattern: '/provision/request', publish: 'provisioning', handler: 'provision' },
  { pattern: '/provision/response', subscribe: 'provisioning' },
];

/** A topic or filter of the table, with what stands for each `+` or `{name}` of its pattern, in order. */
export interface FoundTopic {
  readonly rule: TopicRule;
  readonly levels: readonly string[];
}

interface CompiledRule {
  readonly rule: TopicRule;
  readonly segments: readonly string[];
}

const compiled: readonly CompiledRule[] = TOPICS.map((rule) => ({ rule, segments: rule.pattern.split('/') }));

/** The rules by how many levels their topics have. */
const byLevelCount = new Map<number, CompiledRule[]>();
for (const each of compiled) {
  byLevelCount.set(each.segments.length, [...(byLevelCount.get(each.segments.length) ?? []), each]);
}

/** Longest topic of the table that anybody could mean, in characters. */
const MAX_TOPIC_CHARS = 512;

/** The rule of a topic that is published on; undefined for one that is not in the table. */
export const findTopic = (topic: string): FoundTopic | undefined => find(topic, () => true);

/** The rule of a filter that is subscribed to: the patterns of the table as they stand. */
export const findFilter = (filter: string): FoundTopic | undefined => find(filter, (given) => given === '+');

function find(text: string, fitsPlus: (given: string) => boolean): FoundTopic | undefined {
  if (text.length > MAX_TOPIC_CHARS) return undefined;
  const given = (text.startsWith('/device/') ? text.slice(1) : text).split('/');
  for (const { rule, segments } of byLevelCount.get(given.length) ?? []) {
    const levels = levelsOf(segments, given, fitsPlus);
    if (levels) return { rule, levels };
  }
  return undefined;
}

function levelsOf(
  segments: readonly string[],
  given: readonly string[],
  fitsPlus: (given: string) => boolean,
): string[] | undefined {
  const levels: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const level = given[index] ?? '';
    if (segment === '+') {
      if (level === '' || !fitsPlus(level)) return undefined;
      levels.push(level);
    } else if (segment.startsWith('{')) {
      levels.push(level);
    } else if (segment !== level) {
      return undefined;
    }
  }
  return levels;
}

/** May this device use a topic of its own in this way? Topics of a pair are for the relay to judge. */
export function isAllowed(who: Who | undefined, { rule, levels }: FoundTopic, { device }: DevicePrincipal): boolean {
  if (rule.pattern.includes('{id}') && levels[0] !== 'me' && levels[0] !== device.id) return false;
  switch (who) {
    case 'device':
    case 'pair':
      return true;
    case 'gateway':
      return device.kind === 'gateway';
    case 'provisioning':
    case undefined:
      return false;
  }
}
