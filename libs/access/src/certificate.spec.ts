import { X509Certificate } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { fingerprintOf, readCertificate } from './certificate.ts';

const PEM = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUGo6Lko6MX+ZxkJ0FIhI1jbYHQJQwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEcHVtcDAgFw0yNjExMjExNjI2MzlaGA8yMTI2MTAyODE2MjYz
OVowDzENMAsGA1UEAwwEcHVtcDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKMc
R9MBijGjyGFT9Pr+aVEmzZldO+ZNdeWJuU6a7Ul+G6rXmQycPhu9UKCNC17j1m4d
W6/16Q/ypHQOI2qR++ujUzBRMB0GA1UdDgQWBBQ//dXv0GVlw28nEHEdvitsNYMX
CTAfBgNVHSMEGDAWgBQ//dXv0GVlw28nEHEdvitsNYMXCTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQCVTOE+LdmSWXy+swXJeAkqfpS1TZqO/0o0
hI7pjN8b2QIgAl0T5aeo5czKTw2h142qgHkxc8ICZq3j0OilauTQRwk=
-----END CERTIFICATE-----
`;
const BODY = PEM.split('\n').slice(1, -2).join('');
const read = {
  fingerprint: 'a03a71a9caee6d1e577f09ab35f107009b2ee23cd03545b56c7999683878060e',
  expiresAt: Date.UTC(2126, 9, 28, 16, 26, 39),
};

test.each([
  ['PEM', PEM],
  ['PEM with what stands before and behind it', `pump\n${PEM}\n${PEM}`],
  ['what stands between the lines of PEM', BODY],
  ['the same in lines', BODY.replace(/.{64}/g, '$&\n')],
])('a certificate is read from %s', (_form, text) => {
  expect(readCertificate(text)).toEqual(read);
});

test('a certificate has the same fingerprint for whoever sees it at the other end of a connection', () => {
  expect(fingerprintOf(new X509Certificate(PEM).raw)).toBe(read.fingerprint);
});

test.each(['', 'x', BODY.slice(0, -8), PEM.replace('MIIB', 'MIIC'), '-----BEGIN CERTIFICATE-----', read.fingerprint])(
  'there is no certificate in %j',
  (text) => {
    expect(readCertificate(text)).toBeUndefined();
  },
);
