/** What a device is claimed by that announces itself with its name and a secret, which may be empty. */
export const deviceClaimKey = (name: string, secretKey: string): string => `${name}/${secretKey}`.trim();
