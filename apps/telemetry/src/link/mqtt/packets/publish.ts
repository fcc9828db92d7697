import type { PublishHeader } from '../inbound-message.ts';
import type { ProtocolVersion } from '../packet-codec.ts';
import { REASON } from '../reason-codes.ts';

/** What the connection is ended with. */
export interface PublishFault {
  reasonCode: number;
  reason: string;
}

export interface PublishContext {
  version: ProtocolVersion;
  /** Is it the topic of the message before, and so a valid one? */
  isKnown: boolean;
  /** Messages of QoS 1 and 2 that are not acknowledged. */
  inFlight: number;
  receiveMaximum: number;
}

/** Why a PUBLISH ends its connection, whatever its topic is: undefined if it does not. */
export function faultOfPublish(
  { topic, topicAlias, retain, qos }: PublishHeader,
  { version, isKnown, inFlight, receiveMaximum }: PublishContext,
): PublishFault | undefined {
  // No Topic Alias Maximum is in our CONNACK, so there are none [MQTT-3.3.2-9].
  if (topicAlias !== undefined) return fault(REASON.topicAliasInvalid, 'Topic aliases are not taken here.');
  // [MQTT-3.3.2-2], [MQTT-4.7.3-1]
  if (!isKnown && (topic === '' || /[+#]/.test(topic)))
    return fault(REASON.topicNameInvalid, 'A topic that is published on has no wildcards and is not empty.');
  // Retain Available is 0 in our CONNACK [MQTT-3.2.2-14]; before version 5 nobody could be told, and the flag means nothing.
  if (retain && version === 5)
    return fault(REASON.retainNotSupported, 'No messages are retained here: publish without retain.');
  // [MQTT-3.3.4-7]
  if (version === 5 && qos > 0 && inFlight >= receiveMaximum)
    return fault(REASON.receiveMaximumExceeded, 'More messages are unacknowledged than the Receive Maximum.');
  return undefined;
}

const fault = (reasonCode: number, reason: string): PublishFault => ({ reasonCode, reason });
