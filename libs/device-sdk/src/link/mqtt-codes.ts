import type { Trouble } from '../answers.ts';

/** What the reason codes of MQTT 5 (section 2.4) are among the platform's codes. */
const CODES: Readonly<Record<number, string>> = {
  0x10: 'INTERNAL',
  0x81: 'INVALID_INPUT',
  0x86: 'BAD_CREDENTIALS',
  0x87: 'UNAUTHENTICATED',
  0x88: 'UNAVAILABLE',
  0x89: 'BUSY',
  0x8a: 'FORBIDDEN',
  0x8b: 'SHUTTING_DOWN',
  0x8c: 'BAD_CREDENTIALS',
  0x8e: 'TAKEN_OVER',
  0x90: 'TOPIC_NOT_ALLOWED',
  0x95: 'BATCH_TOO_LARGE',
  0x96: 'RATE_LIMITED',
  0x97: 'RATE_LIMITED',
  0x98: 'TOKEN_REVOKED',
  0x99: 'BAD_PAYLOAD',
  0x9f: 'RATE_LIMITED',
};

/** What is said where the platform gives no words of its own. */
const WORDS: Readonly<Record<number, string>> = {
  0x10: 'Nobody takes it there: is it a Fieldline platform?',
  0x85: 'The client id is not accepted.',
  0x86: 'The user name or the password is wrong.',
  0x87: 'The credentials do not allow it.',
  0x8b: 'The platform shuts down.',
  0x8d: 'Nothing came from here within the keep-alive time.',
  0x8e: 'Another connection with the credentials of this device took its place.',
  0x93: 'More was sent at a time than the platform takes.',
  0x95: 'The packet is larger than the platform takes.',
  0x97: 'The quota is used up.',
  0x98: 'The credentials were revoked.',
  0x99: 'The payload is not what the topic takes.',
};

/** User properties of an MQTT 5 packet. */
export type UserProperties = Readonly<Record<string, string | string[]>>;

/** What a CONNACK, PUBACK or DISCONNECT says besides its reason code. */
export interface SaidProperties {
  reasonString?: string;
  userProperties?: UserProperties;
}

const hex = (code: number): string => `0x${code.toString(16).padStart(2, '0').toUpperCase()}`;

/** The refusal that a reason code stands for; the user properties `code` and `retryAfterMs`, where there are any, say it more exactly. */
export function troubleOf(code: number, { reasonString, userProperties = {} }: SaidProperties = {}): Trouble {
  const { code: named, retryAfterMs } = userProperties;
  const wait = Number(retryAfterMs);
  return {
    code: typeof named === 'string' ? named : (CODES[code] ?? 'INTERNAL'),
    message: reasonString ?? WORDS[code] ?? `The platform gave the reason code ${hex(code)} (MQTT 5, section 2.4).`,
    ...(wait > 0 ? { retryAfterMs: wait } : {}),
  };
}
