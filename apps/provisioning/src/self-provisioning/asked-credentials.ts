import { readCertificate } from '#access';
import { AskedCredentials, type SelfProvisioning, type SelfProvisioningReply } from '#contracts';
import { invalidInput } from '#platform';

type Success = Extract<SelfProvisioningReply, { status: 'SUCCESS' }>;

/** An empty text is the same as none. */
const given = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

/** What a device asks for, in our words. Throws `INVALID_INPUT` for what is too long, and for what is no certificate. */
export function askedCredentials(request: SelfProvisioning): AskedCredentials {
  const { data, error } = AskedCredentials.safeParse(inOurWords(request));
  if (data) return data;
  const [issue] = error.issues;
  throw invalidInput(`/${String(issue?.path[0] ?? 'credentialsType')}`, issue?.message ?? 'is not valid');
}

function inOurWords(request: SelfProvisioning): AskedCredentials {
  switch (request.credentialsType) {
    case undefined:
    case 'ACCESS_TOKEN':
      return { kind: 'access-token', token: given(request.token) };
    case 'MQTT_BASIC':
      return {
        kind: 'mqtt-basic',
        clientId: given(request.clientId),
        userName: given(request.username),
        password: given(request.password),
      };
    case 'X509_CERTIFICATE': {
      const certificate = readCertificate(request.hash ?? '');
      if (certificate) return { kind: 'certificate', ...certificate };
      throw invalidInput('/hash', 'must be an X.509 certificate in PEM, or what stands between the lines of it');
    }
  }
}

/** What it got, in the words of ThingsBoard's device API: the credentials that it asked for as it has them, a token of our making in full. */
export function credentialsReply(got: AskedCredentials, { hash = '' }: SelfProvisioning): Success {
  const status = 'SUCCESS' as const;
  switch (got.kind) {
    case 'access-token':
      return { status, credentialsType: 'ACCESS_TOKEN', credentialsValue: got.token ?? '' };
    case 'mqtt-basic': {
      const { clientId, userName, password } = got;
      return { status, credentialsType: 'MQTT_BASIC', credentialsValue: { clientId, userName, password } };
    }
    case 'certificate':
      return { status, credentialsType: 'X509_CERTIFICATE', credentialsValue: hash };
  }
}
