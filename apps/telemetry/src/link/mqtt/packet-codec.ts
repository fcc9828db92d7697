import { isUtf8 } from 'node:buffer';
import { generate, parser, writeToStream, type Packet, type Parser } from 'mqtt-packet';
import { CodedError } from '#contracts';
import { InboundMessage, type PublishHeader } from './inbound-message.ts';
import { faultOf } from './packet-rules.ts';

/** 3 for MQTT 3.1, 4 for 3.1.1, 5. */
export type ProtocolVersion = 3 | 4 | 5;

/** Types of control packets (MQTT 5 table 2.1), the upper half of the first byte. */
export const CONNECT = 1;
export const PUBLISH = 3;
export const DISCONNECT = 14;

/** The type of the packet that begins at `start`. */
export const packetType = (bytes: Buffer, start: number): number => (bytes[start] ?? 0) >> 4;

// The cache would hold 65,536 buffers for as long as the process lives, to save one small allocation in packets that are rare.
writeToStream.cacheNumbers = false;

/** What a parser says of the packet that it is given. */
interface Decoder {
  readonly parser: Parser;
  packet: Packet | undefined;
  fault: Error | undefined;
}

/** Shared by all clients: a decoder is given a whole packet at a time, so nothing of one client stays in it. */
const decoders = new Map<ProtocolVersion | undefined, Decoder>();

function decoderFor(version: ProtocolVersion | undefined): Decoder {
  let decoder = decoders.get(version);
  if (!decoder) {
    decoder = newDecoder(version);
    decoders.set(version, decoder);
  }
  decoder.packet = undefined;
  decoder.fault = undefined;
  return decoder;
}

function newDecoder(version: ProtocolVersion | undefined): Decoder {
  const decoder: Decoder = {
    parser: parser(version === undefined ? {} : { protocolVersion: version }),
    packet: undefined,
    fault: undefined,
  };
  decoder.parser.on('packet', (packet) => {
    decoder.packet = packet;
  });
  decoder.parser.on('error', (error: Error) => {
    decoder.fault ??= error;
  });
  return decoder;
}

/**
 * Reads one whole packet; `version` is undefined for the CONNECT that says it. Throws `MALFORMED_PACKET`, also for what the codec itself
 * lets through.
 */
export function decode(frame: Buffer, version: ProtocolVersion | undefined): Packet {
  const decoder = decoderFor(version);
  const { packet, fault } = run(decoder, frame);
  // After a fault some of the packet may be left in the parser; the CONNECT's parser takes over what it has read as its settings.
  if (fault || !packet || version === undefined) decoders.delete(version);
  if (fault || !packet) throw malformed(fault?.message ?? 'it is not complete');
  const broken = faultOf(packet, version);
  if (broken !== undefined) throw malformed(broken);
  return packet;
}

function run(decoder: Decoder, frame: Buffer): Decoder {
  try {
    decoder.parser.parse(frame);
  } catch (error) {
    decoder.fault = error instanceof Error ? error : new Error(String(error));
  }
  return decoder;
}

export const malformed = (what: string): CodedError =>
  new CodedError('MALFORMED_PACKET', `The packet is malformed: ${what}.`);

const NO_PROPERTIES: PublishHeader['userProperties'] = Object.freeze({});
const QOS = [0, 1, 2] as const;

/**
 * Reads the PUBLISH that begins at `start` and ends before `end`. The codec is asked only for one with properties: this runs for every
 * reading. Throws `MALFORMED_PACKET`.
 */
export function decodePublish(bytes: Buffer, start: number, end: number, version: ProtocolVersion): InboundMessage {
  const header = bytes[start] ?? 0;
  const qos = QOS[(header >> 1) & 3];
  if (qos === undefined) throw malformed('both bits of the QoS are set');
  const topicStart = remainingLengthEnd(bytes, start) + 2;
  if (topicStart > end) throw malformed('the topic is missing');
  const topicEnd = topicStart + uint16(bytes, topicStart - 2);
  const idEnd = qos === 0 ? topicEnd : topicEnd + 2;
  const payloadStart = version === 5 ? idEnd + 1 : idEnd;
  if (payloadStart > end) throw malformed('the topic is longer than the packet');
  if (version === 5 && bytes[idEnd] !== 0) return decodeWithProperties(bytes.subarray(start, end));
  const packetId = qos === 0 ? 0 : uint16(bytes, topicEnd);
  // [MQTT-2.2.1-3]
  if (qos > 0 && packetId === 0) throw malformed('the packet identifier is 0');
  const topic = textOf(bytes, topicStart, topicEnd);
  const retain = (header & 1) !== 0;
  const said = { topic, qos, retain, packetId, topicAlias: undefined, userProperties: NO_PROPERTIES };
  return new InboundMessage(said, bytes, payloadStart, end);
}

function decodeWithProperties(frame: Buffer): InboundMessage {
  const packet = decode(frame, 5);
  if (packet.cmd !== 'publish' || typeof packet.payload === 'string') throw malformed('it is no PUBLISH');
  const { topic, qos, retain, payload, messageId = 0, properties } = packet;
  const said = {
    topic,
    qos,
    retain,
    packetId: qos === 0 ? 0 : messageId,
    topicAlias: properties?.topicAlias,
    userProperties: properties?.userProperties ?? NO_PROPERTIES,
  };
  return new InboundMessage(said, payload, 0, payload.length);
}

/** A character string that was not well-formed closes the connection [MQTT-1.5.4-1]; so does U+0000 [MQTT-1.5.4-2]. */
function textOf(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) throw malformed('the topic is not UTF-8');
  if (text.includes('\0')) throw malformed('the topic has U+0000');
  return text;
}

const uint16 = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

function remainingLengthEnd(bytes: Buffer, start: number): number {
  let end = start + 1;
  while ((bytes[end] ?? 0) >= 0x80) end += 1;
  return end + 1;
}

/** The bytes of a packet. */
export const encode = (packet: Packet, version: ProtocolVersion): Buffer =>
  generate(packet, { protocolVersion: version });

/** The first byte of the acknowledgements of a PUBLISH (MQTT 5 sections 3.4 to 3.7). */
const ACKNOWLEDGEMENTS = { puback: 0x40, pubrec: 0x50, pubcomp: 0x70 } as const;
export type AcknowledgementType = keyof typeof ACKNOWLEDGEMENTS;

/** Bytes of an acknowledgement that says nothing but success, the same in every version. */
export const ACKNOWLEDGEMENT_BYTES = 4;

/** Writes an acknowledgement that says nothing but success to `offset`. */
export function writeAcknowledgement(bytes: Buffer, offset: number, type: AcknowledgementType, packetId: number): void {
  bytes[offset] = ACKNOWLEDGEMENTS[type];
  bytes[offset + 1] = 2;
  bytes[offset + 2] = packetId >> 8;
  bytes[offset + 3] = packetId & 0xff;
}

/** An acknowledgement that says nothing but success. */
export function acknowledgementOf(type: AcknowledgementType, packetId: number): Buffer {
  const bytes = Buffer.allocUnsafe(ACKNOWLEDGEMENT_BYTES);
  writeAcknowledgement(bytes, 0, type, packetId);
  return bytes;
}
