import { Inject, Injectable } from '@nestjs/common';
import { RpcClient } from '#messaging';
import { Attributes } from '../attributes/attributes.service.ts';
import { Commands } from '../commands/commands.service.ts';
import { givenAttributes } from '../link/mqtt/given-attributes.ts';
import type {
  Acknowledgement,
  MqttLink,
  ProvisioningHandler,
  Published,
  TopicHandler,
} from '../link/mqtt/topic-handler.ts';
import type { DeviceApiHandlers } from '../link/mqtt/topics.ts';
import { Presence } from '../presence/presence.service.ts';
import { attributesReply, parseAttributeRequest } from './attribute-payloads.ts';
import { answerCall, SESSION_LIMITS } from './calls.ts';
import { ClaimAnnouncements } from './claim-announcements.ts';
import { parseClaim } from './claim-payload.ts';
import { badPayload, jsonIfAny, jsonOf, objectOf, payloadOf } from './payload.ts';
import { parseProvisioning } from './provisioning-payload.ts';
import { replyTopicOf } from './reply-topic.ts';
import { answerOf, numberOf, outcomeOf, type SessionLimits } from './rpc-payloads.ts';
import { parseTelemetry } from './telemetry-payload.ts';
import { TelemetryUploads, wordsOf, type UploadReceipt } from './telemetry-uploads.ts';
import { batchIdOf, uploadAcknowledgement } from './upload-acknowledgement.ts';

/** A reply goes out beside the acknowledgement of what it replies to; a client that has gone meanwhile does not get it. */
export function reply(link: MqttLink, topic: string, document: unknown): void {
  link.send(topic, JSON.stringify(document)).catch(() => undefined);
}

/** ThingsBoard's device API over MQTT: what a device publishes for itself. */
@Injectable()
export class DeviceApiTopics {
  constructor(
    @Inject(TelemetryUploads) private readonly uploads: TelemetryUploads,
    @Inject(Attributes) private readonly attributes: Attributes,
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Presence) private readonly presence: Presence,
    @Inject(ClaimAnnouncements) private readonly claims: ClaimAnnouncements,
    @Inject(RpcClient) private readonly rpc: RpcClient,
    @Inject(SESSION_LIMITS) private readonly limits: SessionLimits,
  ) {}

  get handlers(): DeviceApiHandlers {
    return {
      telemetry: this.telemetry,
      attributes: this.reported,
      attributesRequest: this.asked,
      rpcRequest: this.called,
      rpcResponse: this.answered,
      claim: this.claimed,
      provision: this.provision,
      protobuf: refuseProtobuf,
    };
  }

  private readonly telemetry: TopicHandler = (link, message) => {
    const { device } = link.principal;
    const telemetry = parseTelemetry(jsonOf(message));
    const batchId = batchIdOf(message, telemetry.readings.length);
    const begun = this.uploads.begin(link.principal, { device, telemetry }, batchId);
    if (!('durable' in begun)) return begun.then((receipt) => this.acknowledgement(link, message, receipt));
    return { durable: begun.durable, answer: this.acknowledgement(link, message, begun.receipt) };
  };

  private acknowledgement(
    { principal }: MqttLink,
    { topic }: Published,
    receipt: UploadReceipt,
  ): Acknowledgement | undefined {
    const [first] = receipt.rejected;
    if (first) this.presence.note(principal.device.id, { kind: 'refused', reason: wordsOf(first), topic });
    return uploadAcknowledgement(receipt);
  }

  private readonly reported: TopicHandler = async ({ principal }, message) => {
    const attributes = objectOf(jsonOf(message), 'Attributes');
    if (Object.keys(attributes).length > 0) await this.attributes.report(principal.device, attributes);
  };

  private readonly asked: TopicHandler = async (link, message) => {
    numberOf(message.levels[0], 'The id of a request');
    const wanted = parseAttributeRequest(jsonOf(message));
    const found = await this.attributes.read(link.principal.device.id, wanted);
    const received = link.send(replyTopicOf(message.topic), JSON.stringify(attributesReply(found)));
    givenAttributes(link.kept).note(found.version, wanted.shared, received);
  };

  private readonly called: TopicHandler = (link, message) => {
    numberOf(message.levels[0], 'The id of a request');
    const isGateway = link.principal.device.kind === 'gateway';
    reply(link, replyTopicOf(message.topic), answerCall(jsonOf(message), this.limits, isGateway));
    return Promise.resolve();
  };

  private readonly answered: TopicHandler = ({ principal }, message) => {
    const number = numberOf(message.levels[0], 'The id of a command');
    return this.commands.answer(principal.device.id, { number }, outcomeOf(answerOf(message)));
  };

  private readonly claimed: TopicHandler = ({ principal }, message) => {
    const claim = parseClaim(jsonIfAny(message));
    return this.claims.announce(principal.device, claim, message.topic);
  };

  private readonly provision: ProvisioningHandler = async (client, payload) => {
    const asked = parseProvisioning(jsonOf(payloadOf(payload)), client.address);
    const answer = await this.rpc.call('provisioning.selfProvision', asked);
    await client.send('/provision/response', JSON.stringify(answer));
  };
}

/** The forms of ThingsBoard's topics that are for Protocol Buffers. */
const refuseProtobuf: TopicHandler = () =>
  Promise.reject(badPayload('Protocol Buffers are not taken: send JSON, on the topic without "/p".'));
