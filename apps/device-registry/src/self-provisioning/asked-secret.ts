import { CodedError, type AskedCredentials } from '#contracts';
import { exactText, invalidInput } from '#platform';
import type { ChosenPasswords } from '../credentials/chosen-passwords.ts';
import { newCertificate, newMqttBasic, ownAccessToken, type KeptSecret } from '../credentials/new-secrets.ts';

/**
 * A dot tells a JSON web token from an access token, and what has white space or control characters cannot be sent in a header or a path.
 */
const OWN_TOKEN = /^[^.\s\p{Cc}\p{Cs}]+$/u;
const Line = exactText(256).optional();

/**
 * What is kept of the credentials that a device asks for by itself; null where it asks for a token of our making. Throws `INVALID_INPUT`
 * for what cannot be a credential.
 */
export async function askedSecret(
  asked: AskedCredentials,
  passwords: ChosenPasswords,
  now: number,
): Promise<KeptSecret | null> {
  switch (asked.kind) {
    case 'access-token':
      return asked.token === undefined ? null : ownAccessToken(usableToken(asked.token), now);
    case 'mqtt-basic': {
      const { clientId = null, userName = null, password } = usableMqtt(asked);
      const passwordHash = password === undefined ? null : await passwords.hash(password);
      return newMqttBasic({ clientId, userName, passwordHash }, now).kept;
    }
    case 'certificate':
      if (asked.expiresAt <= now) throw invalidInput('/hash', 'is a certificate whose time is over');
      return newCertificate(asked, now).kept;
  }
}

function usableToken(token: string): string {
  if (OWN_TOKEN.test(token)) return token;
  throw invalidInput('/token', 'must have neither dots nor white space');
}

type AskedMqtt = Extract<AskedCredentials, { kind: 'mqtt-basic' }>;

function usableMqtt(asked: AskedMqtt): AskedMqtt {
  const { clientId, userName } = asked;
  if (clientId === undefined && userName === undefined) {
    throw new CodedError('INVALID_INPUT', 'MQTT_BASIC needs a clientId, a username, or both.');
  }
  if (!Line.safeParse(clientId).success) throw invalidInput('/clientId', 'must have no control characters');
  if (!Line.safeParse(userName).success) throw invalidInput('/username', 'must have no control characters');
  return asked;
}
