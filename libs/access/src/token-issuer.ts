import { DEVICE_TOKEN_ISSUER } from '#contracts';

/** A JSON web token has three parts between dots (RFC 7515 section 7.1); a device's access token has no dot. */
const JWT = /^[^.]*\.([^.]*)\.[^.]*$/;

/**
 * Whom a token says it is of (`iss`, RFC 7519 section 4.1.1), with nothing checked: it only tells who is to check it. Undefined if
 * it says nothing that can be read.
 */
export function claimedIssuer(token: string): string | undefined {
  const payload = JWT.exec(token)?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null || !('iss' in claims)) return undefined;
    return typeof claims.iss === 'string' ? claims.iss : undefined;
  } catch {
    return undefined;
  }
}

/** Does a token say that it is a device's JSON web token? */
export const isDevicesToken = (token: string): boolean => claimedIssuer(token) === DEVICE_TOKEN_ISSUER;
