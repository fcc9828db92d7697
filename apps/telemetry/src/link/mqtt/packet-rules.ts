import type { Packet } from 'mqtt-packet';

/**
 * What the standard asks of packets and the codec lets through. Gives what is wrong in words, or undefined. `version` is undefined for a
 * CONNECT.
 */
export function faultOf(packet: Packet, version: 3 | 4 | 5 | undefined): string | undefined {
  return (
    typeFault(packet, version) ??
    identifierFault(packet) ??
    listFault(packet) ??
    propertiesFault(packet.cmd, propertiesOf(packet)) ??
    willFault(packet) ??
    textFault(packet, 0)
  );
}

/** Packets that a client may send. */
const FROM_CLIENTS = new Set<Packet['cmd']>([
  'connect',
  'publish',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'subscribe',
  'unsubscribe',
  'pingreq',
  'disconnect',
  'auth',
]);

function typeFault({ cmd, length }: Packet, version: 3 | 4 | 5 | undefined): string | undefined {
  if (!FROM_CLIENTS.has(cmd)) return `a client does not send ${cmd.toUpperCase()}`;
  if (version === undefined && cmd !== 'connect') return `the first packet is ${cmd.toUpperCase()} [MQTT-3.1.0-1]`;
  if (cmd === 'pingreq' && length !== 0) return 'a PINGREQ has no content';
  if (cmd === 'disconnect' && version !== 5 && length !== 0) return 'a DISCONNECT has no content before version 5';
  return undefined;
}

const WITH_IDENTIFIER = new Set<Packet['cmd']>(['puback', 'pubrec', 'pubrel', 'pubcomp', 'subscribe', 'unsubscribe']);

/** [MQTT-2.2.1-3] */
function identifierFault(packet: Packet): string | undefined {
  const needed = WITH_IDENTIFIER.has(packet.cmd) || (packet.cmd === 'publish' && packet.qos > 0);
  if (!needed || (packet.messageId !== undefined && packet.messageId > 0)) return undefined;
  return 'the packet identifier is missing or 0';
}

/** [MQTT-3.8.3-2], [MQTT-3.10.3-2] */
function listFault(packet: Packet): string | undefined {
  if (packet.cmd === 'subscribe' && packet.subscriptions.length === 0) return 'a SUBSCRIBE without filters';
  if (packet.cmd === 'unsubscribe' && packet.unsubscriptions.length === 0) return 'an UNSUBSCRIBE without filters';
  return undefined;
}

const REASONS = ['reasonString', 'userProperties'];

/** Properties that a packet of a client may have (MQTT 5 table 2.4). */
const PROPERTIES: Partial<Record<Packet['cmd'] | 'will', readonly string[]>> = {
  connect: [
    'sessionExpiryInterval',
    'receiveMaximum',
    'maximumPacketSize',
    'topicAliasMaximum',
    'requestResponseInformation',
    'requestProblemInformation',
    'userProperties',
    'authenticationMethod',
    'authenticationData',
  ],
  will: [
    'willDelayInterval',
    'payloadFormatIndicator',
    'messageExpiryInterval',
    'contentType',
    'responseTopic',
    'correlationData',
    'userProperties',
  ],
  publish: [
    'payloadFormatIndicator',
    'messageExpiryInterval',
    'topicAlias',
    'responseTopic',
    'correlationData',
    'userProperties',
    'contentType',
  ],
  puback: REASONS,
  pubrec: REASONS,
  pubrel: REASONS,
  pubcomp: REASONS,
  subscribe: ['subscriptionIdentifier', 'userProperties'],
  unsubscribe: ['userProperties'],
  disconnect: [...REASONS, 'sessionExpiryInterval'],
  auth: [...REASONS, 'authenticationMethod', 'authenticationData'],
};

const propertiesOf = (packet: Packet): object => ('properties' in packet ? (packet.properties ?? {}) : {});

function propertiesFault(kind: Packet['cmd'] | 'will', properties: object): string | undefined {
  for (const [name, value] of Object.entries(properties)) {
    if (!PROPERTIES[kind]?.includes(name)) return `${kind} has no property ${name}`;
    if (Array.isArray(value)) return `the property ${name} is there more than once`;
    if (value === null || value === undefined || value === -1) return `the property ${name} is cut off`;
  }
  return undefined;
}

function willFault(packet: Packet): string | undefined {
  if (packet.cmd !== 'connect' || !packet.will) return undefined;
  // [MQTT-3.1.2-12]
  if ((packet.will.qos ?? 0) > 2) return 'the QoS of the will is 3';
  return propertiesFault('will', packet.will.properties ?? {});
}

/** Values deeper than this are none of a packet's. */
const DEEPEST = 4;

/**
 * Ill-formed UTF-8 [MQTT-1.5.4-1] comes out of the codec as U+FFFD, which nobody can tell from one that was sent: both are refused, in
 * topics, names and properties alike. U+0000 is refused by [MQTT-1.5.4-2].
 */
function textFault(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') {
    if (value.includes('\ufffd')) return 'a string is not UTF-8';
    return value.includes('\0') ? 'a string has U+0000' : undefined;
  }
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value) || depth > DEEPEST) return undefined;
  for (const [name, each] of Object.entries(value)) {
    const fault = textFault(name, depth) ?? textFault(each, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
