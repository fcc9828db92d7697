import { randomUUID } from 'node:crypto';
import type { IConnackPacket, IConnectPacket } from 'mqtt-packet';
import type { Authenticated, PresentedCredentials } from '#access';
import { CodedError, type DevicePrincipal } from '#contracts';
import { toCoded } from '#platform';
import type { MqttClient, OriginCertificate } from '../client.ts';
import { MQTT_LIMITS } from '../mqtt-limits.ts';
import { DeviceSession } from '../device-session.ts';
import { decode, type ProtocolVersion } from '../packet-codec.ts';
import { ProvisioningSession } from '../provisioning-session.ts';
import { connackCodes, REASON, RETURN, type ConnackCodes, type Introduction } from '../reason-codes.ts';
import { Session } from '../session.ts';
import { willOf } from '../will.ts';

/** User name, or client id, of somebody who wants to provision a device. */
const PROVISION = 'provision';
/** Characters of a client id: it says nothing to us, but it is shown. */
const MOST_CLIENT_ID_CHARS = 1_024;
/** What a client may leave unacknowledged when it says nothing (MQTT 5 section 3.1.2.11.3). */
const DEFAULT_RECEIVE_MAXIMUM = 65_535;

/** A CONNECT that is answered with these codes. */
class Refusal extends Error {
  constructor(
    readonly codes: ConnackCodes,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Who is to be let in, and as what. */
type Admission =
  { authenticated: Authenticated; presented: PresentedCredentials; principal: DevicePrincipal } | 'provisioning';

/** Lets a client in, or refuses it: what MQTT 5 section 3.1.4 asks for, step by step. */
export async function connect(client: MqttClient, frame: Buffer): Promise<void> {
  const version = protocolOf(frame);
  if (version === undefined) {
    refuseProtocol(client, frame);
    return;
  }
  client.version = version;
  try {
    const packet = read(frame);
    takeOptions(client, packet);
    checkMethod(packet);
    checkClientId(client, packet);
    checkWill(packet, version);
    const admission = await admit(client, packet);
    if (client.isClosed) return;
    open(client, packet, admission);
  } catch (thrown) {
    refuse(client, thrown);
  }
}

/** The version that a CONNECT says, by its protocol name and level (MQTT 5 sections 3.1.2.1 and 3.1.2.2). */
function protocolOf(frame: Buffer): ProtocolVersion | undefined {
  const { name, level } = protocolText(frame);
  if (name === 'MQIsdp') return level === 3 ? 3 : undefined;
  if (name !== 'MQTT') return undefined;
  return level === 4 || level === 5 ? level : undefined;
}

function protocolText(frame: Buffer): { name: string; level: number } {
  let start = 1;
  while ((frame[start] ?? 0) >= 0x80) start += 1;
  const length = ((frame[start + 1] ?? 0) << 8) | (frame[start + 2] ?? 0);
  const end = start + 3 + length;
  return { name: frame.toString('latin1', start + 3, Math.min(end, start + 9)), level: frame[end] ?? 0 };
}

/** [MQTT-3.1.2-2]: said in the form of the version that is closest. A name that is not MQTT's is answered with nothing [MQTT-3.1.2-1]. */
function refuseProtocol(client: MqttClient, frame: Buffer): void {
  const { name, level } = protocolText(frame);
  client.services.metrics.countRefusedConnect('UNSUPPORTED_PROTOCOL');
  client.services.log.info({ address: client.origin.address }, 'MQTT: a protocol version that is not supported');
  if (name !== 'MQTT' && name !== 'MQIsdp') {
    client.disconnect(REASON.malformedPacket, 'This is not MQTT.');
    return;
  }
  client.version = level > 5 ? 5 : 4;
  const codes = { returnCode: RETURN.unacceptableProtocolVersion, reasonCode: REASON.unsupportedProtocolVersion };
  client.refuse(refusalOf(client, codes, 'MQTT 3.1, 3.1.1 and 5 are spoken here.'), 'a version that is not supported');
}

function read(frame: Buffer): IConnectPacket {
  const packet = decode(frame, undefined);
  if (packet.cmd !== 'connect') throw new CodedError('MALFORMED_PACKET', 'The first packet is not a CONNECT.');
  // [MQTT-3.1.2-22] of 3.1.1
  if (packet.protocolVersion !== 5 && packet.password && packet.username === undefined)
    throw new CodedError('MALFORMED_PACKET', 'There is a password, and no user name.');
  return packet;
}

function takeOptions(client: MqttClient, { keepalive, properties }: IConnectPacket): void {
  client.keepAlive = keepalive ?? 0;
  client.wantsReasons = properties?.requestProblemInformation !== false;
  client.maximumPacketSize = properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
  // MQTT 5 sections 3.1.2.11.3 and 3.1.2.11.4
  if (properties?.receiveMaximum === 0 || properties?.maximumPacketSize === 0) {
    client.maximumPacketSize = Number.POSITIVE_INFINITY;
    throw refused(REASON.protocolError, RETURN.notAuthorized, 'MALFORMED_PACKET', 'A maximum in the CONNECT is 0.');
  }
}

/** [MQTT-4.12.0-1] */
function checkMethod({ properties }: IConnectPacket): void {
  if (properties?.authenticationMethod === undefined && properties?.authenticationData === undefined) return;
  throw refused(
    REASON.badAuthenticationMethod,
    RETURN.notAuthorized,
    'UNAUTHENTICATED',
    'There is no extended authentication here: connect with a user name, or a certificate.',
  );
}

/** Before version 5 only a clean session may leave the identifier to us [MQTT-3.1.3-8]; in 3.1 none may, which nobody keeps to. */
function checkClientId(client: MqttClient, { clientId, clean }: IConnectPacket): void {
  if (clientId.length > MOST_CLIENT_ID_CHARS)
    throw notAnId(`The client identifier has more than ${String(MOST_CLIENT_ID_CHARS)} characters.`);
  if (clientId === '' && client.version !== 5 && clean !== true)
    throw notAnId('A client without an identifier needs a clean session.');
  client.clientId = clientId === '' ? `fl-${randomUUID()}` : clientId;
}

const notAnId = (message: string): Refusal =>
  refused(REASON.clientIdentifierNotValid, RETURN.identifierRejected, 'INVALID_INPUT', message);

/** Retain Available is 0 [MQTT-3.2.2-13]; before version 5 the flag means nothing here. */
function checkWill({ will }: IConnectPacket, version: ProtocolVersion): void {
  if (will?.retain !== true || version !== 5) return;
  throw refused(
    REASON.retainNotSupported,
    RETURN.notAuthorized,
    'INVALID_INPUT',
    'No messages are retained here: connect with a will without retain.',
  );
}

async function admit(client: MqttClient, packet: IConnectPacket): Promise<Admission> {
  const { certificate } = client.origin;
  if (certificate === undefined && wantsToProvision(packet)) return 'provisioning';
  const presented = presentedBy(client, packet);
  try {
    if (certificate) checkCertificate(certificate, client.services.now());
    const authenticated = await client.services.authenticator.authenticate(presented);
    if (!('kind' in authenticated.principal) || authenticated.principal.kind !== 'device')
      throw new CodedError('FORBIDDEN', 'MQTT is for devices: connect with the credentials of one.');
    return { authenticated, presented, principal: authenticated.principal };
  } catch (thrown) {
    const error = toCoded(thrown);
    if (error.code === 'INTERNAL') client.services.log.error({ err: thrown }, 'an error that nobody expected');
    throw new Refusal(connackCodes(error, introductionOf(client, packet)), error.code, error.message);
  }
}

const wantsToProvision = ({ username, clientId, password }: IConnectPacket): boolean =>
  (username ?? clientId) === PROVISION && (password === undefined || password.length === 0);

function presentedBy({ origin }: MqttClient, { clientId, username, password }: IConnectPacket): PresentedCredentials {
  if (origin.certificate) return { kind: 'certificate', fingerprint: origin.certificate.fingerprint };
  return {
    kind: 'mqtt',
    clientId,
    ...(username === undefined ? {} : { userName: username }),
    ...(password === undefined ? {} : { password: password.toString() }),
  };
}

function checkCertificate({ validFrom, validTo, isTrusted }: OriginCertificate, now: number): void {
  if (!isTrusted)
    throw new CodedError('BAD_CREDENTIALS', 'The certificate was not issued by the authority of this platform.');
  if (now < validFrom || now > validTo)
    throw new CodedError(
      'BAD_CREDENTIALS',
      'The certificate is not valid now: it has expired, or its time has not come.',
    );
}

function introductionOf({ origin }: MqttClient, { username, password, clientId }: IConnectPacket): Introduction {
  if (origin.certificate) return { by: 'certificate' };
  if (username !== undefined || password !== undefined) return { by: 'user name' };
  return { by: clientId === '' ? 'nothing' : 'client id' };
}

function open(client: MqttClient, packet: IConnectPacket, admission: Admission): void {
  const role = roleOf(client, packet, admission);
  const session = new Session(client, role, packet.properties?.receiveMaximum ?? DEFAULT_RECEIVE_MAXIMUM);
  role.attach(session);
  client.open(session, welcome(client, packet));
}

function roleOf(client: MqttClient, packet: IConnectPacket, admission: Admission): DeviceSession | ProvisioningSession {
  if (admission === 'provisioning') return new ProvisioningSession(client);
  const { authenticated, presented, principal } = admission;
  return new DeviceSession(client, authenticated, presented, principal, ownWill(packet, principal));
}

function ownWill(packet: IConnectPacket, principal: DevicePrincipal): ReturnType<typeof willOf> {
  try {
    return willOf(packet, principal);
  } catch (thrown) {
    const error = toCoded(thrown);
    throw refused(REASON.notAuthorized, RETURN.notAuthorized, error.code, error.message);
  }
}

/** Nothing is kept of a session when its connection ends: none is ever present [MQTT-3.2.2-2], and ours expire at once. */
function welcome(client: MqttClient, { clientId, properties }: IConnectPacket): IConnackPacket {
  if (client.version !== 5) return { cmd: 'connack', sessionPresent: false, returnCode: RETURN.accepted };
  return {
    cmd: 'connack',
    sessionPresent: false,
    reasonCode: REASON.success,
    properties: {
      receiveMaximum: MQTT_LIMITS.receiveMaximum,
      maximumPacketSize: MQTT_LIMITS.packetBytes,
      retainAvailable: false,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: false,
      // [MQTT-3.1.3-6]
      ...(clientId === '' ? { assignedClientIdentifier: client.clientId } : {}),
      ...((properties?.sessionExpiryInterval ?? 0) > 0 ? { sessionExpiryInterval: 0 } : {}),
    },
  };
}

function refuse(client: MqttClient, thrown: unknown): void {
  const refusal = thrown instanceof Refusal ? thrown : asRefusal(client, thrown);
  const { address } = client.origin;
  client.services.metrics.countRefusedConnect(refusal.code);
  client.services.log.info({ code: refusal.code, address, reason: refusal.message }, 'MQTT: a CONNECT was refused');
  client.refuse(refusalOf(client, refusal.codes, refusal.message), refusal.message);
}

function asRefusal(client: MqttClient, thrown: unknown): Refusal {
  const { code, message } = toCoded(thrown);
  if (code === 'MALFORMED_PACKET') return refused(REASON.malformedPacket, RETURN.notAuthorized, code, message);
  client.services.log.error({ err: thrown }, 'an error that nobody expected');
  return refused(REASON.implementationSpecific, RETURN.serverUnavailable, code, message);
}

const refused = (reasonCode: number, returnCode: number, code: string, message: string): Refusal =>
  new Refusal({ reasonCode, returnCode }, code, message);

const refusalOf = (
  client: MqttClient,
  { returnCode, reasonCode }: ConnackCodes,
  reasonString: string,
): IConnackPacket =>
  client.version === 5
    ? { cmd: 'connack', sessionPresent: false, reasonCode, properties: { reasonString } }
    : { cmd: 'connack', sessionPresent: false, returnCode };
