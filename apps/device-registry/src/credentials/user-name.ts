import { canonicalMac } from '#contracts';

/** The user name that a device has by document: its customer's number and its MAC address (canonical). */
export const userNameOf = (customerNumber: string, macAddress: string): string => `${customerNumber}/${macAddress}`;

/** The one form in which user names are compared: what is behind the last slash may be a MAC address in any notation. */
export function canonicalUserName(userName: string): string {
  const slash = userName.lastIndexOf('/');
  const mac = slash < 0 ? undefined : canonicalMac(userName.slice(slash + 1));
  return mac === undefined ? userName : userNameOf(userName.slice(0, slash), mac);
}
