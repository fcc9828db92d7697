import { Inject, Injectable } from '@nestjs/common';
import { CodedError, type DeviceRef } from '#contracts';
import { Attributes } from '../attributes/attributes.service.ts';
import { Commands } from '../commands/commands.service.ts';
import type { MqttLink, Published, TopicHandler } from '../link/mqtt/topic-handler.ts';
import type { DeviceApiHandlers } from '../link/mqtt/topics.ts';
import { Presence } from '../presence/presence.service.ts';
import { byDevice, childAttributesReply, deviceNameOf, parseChildAttributeRequest } from './attribute-payloads.ts';
import { ClaimAnnouncements } from './claim-announcements.ts';
import { parseClaim } from './claim-payload.ts';
import { reply } from './device-api.handlers.ts';
import { GatewayChildren } from './gateway-children.ts';
import { badPayload, jsonOf, nameOf, objectOf } from './payload.ts';
import { numberOf, outcomeOf } from './rpc-payloads.ts';
import { parseTelemetry } from './telemetry-payload.ts';
import { TelemetryUploads, wordsOf, type Upload, type UploadRejection } from './telemetry-uploads.ts';
import { batchIdOf, uploadAcknowledgement } from './upload-acknowledgement.ts';

/**
 * ThingsBoard's gateway API over MQTT: what a gateway publishes for the devices behind it. A message that has a form of its own for any
 * of its devices that nobody can read is refused as a whole, before anything of it is kept.
 */
@Injectable()
export class GatewayApiTopics {
  constructor(
    @Inject(GatewayChildren) private readonly children: GatewayChildren,
    @Inject(TelemetryUploads) private readonly uploads: TelemetryUploads,
    @Inject(Attributes) private readonly attributes: Attributes,
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Presence) private readonly presence: Presence,
    @Inject(ClaimAnnouncements) private readonly claims: ClaimAnnouncements,
  ) {}

  get handlers(): DeviceApiHandlers {
    return {
      gatewayConnect: this.connected,
      gatewayDisconnect: this.disconnected,
      gatewayTelemetry: this.telemetry,
      gatewayAttributes: this.reported,
      gatewayAttributesRequest: this.asked,
      gatewayRpc: this.answered,
      gatewayClaim: this.claimed,
    };
  }

  private readonly connected: TopicHandler = async (link, message) => {
    const { device, type } = objectOf(jsonOf(message), 'A connect');
    const profile = typeof type === 'string' && type !== '' ? type : undefined;
    await this.children.of(link).child(deviceNameOf(device), profile);
  };

  private readonly disconnected: TopicHandler = (link, message) => {
    const { device } = objectOf(jsonOf(message), 'A disconnect');
    this.children.of(link).release(deviceNameOf(device));
    return Promise.resolve();
  };

  private readonly telemetry: TopicHandler = async (link, message) => {
    const parsed = byDevice(jsonOf(message), 'Telemetry').map(([name, items]) => {
      if (!Array.isArray(items))
        throw badPayload(`The telemetry of "${name}" must be an array, this is ${nameOf(items)}.`);
      return { name, telemetry: parseTelemetry(items) };
    });
    const uploads: Upload[] = [];
    const refused = await this.forEachChild(link, parsed, (device, { telemetry }) => {
      uploads.push({ device, telemetry });
    });
    const readings = uploads.reduce((sum, { telemetry }) => sum + telemetry.readings.length, 0);
    const receipt = await this.uploads.accept(link.principal, uploads, batchIdOf(message, readings));
    receipt.rejected.push(...refused);
    this.note(link, message, receipt.rejected);
    return uploadAcknowledgement(receipt);
  };

  private readonly reported: TopicHandler = async (link, message) => {
    const parsed = byDevice(jsonOf(message), 'Attributes').map(([name, attributes]) => ({
      name,
      attributes: objectOf(attributes, `The attributes of "${name}"`),
    }));
    const refused = await this.forEachChild(link, parsed, async (device, { attributes }) => {
      if (Object.keys(attributes).length > 0) await this.attributes.report(device, attributes);
    });
    this.note(link, message, refused);
    throwFirst(refused);
  };

  private readonly asked: TopicHandler = async (link, message) => {
    const request = parseChildAttributeRequest(jsonOf(message));
    const device = await this.children.of(link).child(request.device);
    const found = await this.attributes.read(device.id, request.wanted);
    reply(link, 'v1/gateway/attributes/response', childAttributesReply(request, found));
  };

  private readonly answered: TopicHandler = async (link, message) => {
    const { device, id, data } = objectOf(jsonOf(message), 'An answer');
    const number = numberOf(typeof id === 'number' || typeof id === 'string' ? String(id) : undefined, '"id"');
    const child = await this.children.of(link).child(deviceNameOf(device));
    await this.commands.answer(child.id, { number }, outcomeOf(data ?? null));
  };

  private readonly claimed: TopicHandler = async (link, message) => {
    const parsed = byDevice(jsonOf(message), 'Claims').map(([name, claim]) => ({
      name,
      claim: parseClaim(objectOf(claim, `The claim of "${name}"`)),
    }));
    const refused = await this.forEachChild(link, parsed, (device, { claim }) =>
      this.claims.announce(device, claim, message.topic),
    );
    this.note(link, message, refused);
    throwFirst(refused);
  };

  /**
   * Does something for each device that is named, one after the other, and gives those for which it was refused: what is good is not
   * lost with what is not. Throws what does not depend on the device, such as `UNAVAILABLE`: then all of it is tried again.
   */
  private async forEachChild<T extends { name: string }>(
    link: MqttLink,
    named: readonly T[],
    act: (device: DeviceRef, one: T) => Promise<void> | void,
  ): Promise<UploadRejection[]> {
    const session = this.children.of(link);
    const refused: UploadRejection[] = [];
    for (const one of named) {
      try {
        await act(await session.child(one.name), one);
      } catch (thrown) {
        if (!(thrown instanceof CodedError) || thrown.status >= 500) throw thrown;
        refused.push({ device: one.name, key: null, code: thrown.code, message: thrown.message });
      }
    }
    return refused;
  }

  private note(link: MqttLink, { topic }: Published, [first]: readonly UploadRejection[]): void {
    if (first) this.presence.note(link.principal.device.id, { kind: 'refused', reason: wordsOf(first), topic });
  }
}

function throwFirst([first]: readonly UploadRejection[]): void {
  if (first) throw new CodedError(first.code, wordsOf(first));
}
