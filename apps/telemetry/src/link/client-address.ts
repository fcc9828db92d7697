/** Is the n-th address, counted from the server, that of a proxy of ours? As Express asks it. */
export type Trust = (address: string, n: number) => boolean;

/**
 * The address of a client behind the proxies that are trusted, each of which adds who asked it to `X-Forwarded-For`; as Express finds it
 * for a request. `remote` is who is at the other end of the connection itself.
 */
export function clientAddress(
  remote: string,
  forwardedFor: string | readonly string[] | undefined,
  trust: Trust,
): string {
  const named = [forwardedFor ?? []].flat().flatMap((header) => header.split(','));
  const addresses = [
    remote,
    ...named
      .map((address) => address.trim())
      .filter((address) => address !== '')
      .reverse(),
  ];
  const client = addresses.findIndex((address, n) => !trust(address, n));
  return addresses.at(client) ?? remote;
}
