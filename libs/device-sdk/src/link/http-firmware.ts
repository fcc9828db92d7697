import { at, failureOf, refusalOfResponse, showing } from '../http.ts';
import type { DeviceCredentials } from './credentials.ts';
import type { FirmwareKind } from './transport.ts';

/** How long nothing may come before a download is given up, in milliseconds. */
const STALLED_MS = 30_000;

interface HttpFirmware {
  url: string;
  credentials: DeviceCredentials | undefined;
  kind: FirmwareKind;
  offset: number;
  signal: AbortSignal;
}

/** The package by `GET /firmware`, from `offset` on (RFC 9110 section 14.2). Throws what the platform refuses, or an Error when the network fails. */
export async function* loadOverHttp({
  url,
  credentials,
  kind,
  offset,
  signal,
}: HttpFirmware): AsyncGenerator<Uint8Array> {
  const address = at(url, `/firmware?kind=${kind}`);
  const stalled = new AbortController();
  const watch = setTimeout(() => stalled.abort(new Error('nothing came any more')), STALLED_MS);
  try {
    const response = await fetch(address, {
      headers: { ...showing(credentials), ...(offset > 0 ? { range: `bytes=${offset}-` } : {}) },
      signal: AbortSignal.any([signal, stalled.signal]),
    });
    if (response.status === 416) return void (await response.body?.cancel());
    if (!response.ok) throw await refusalOfResponse(address, response);
    let skip = response.status === 206 ? 0 : offset;
    const body: AsyncIterable<Uint8Array> | [] = response.body ?? [];
    for await (const part of body) {
      watch.refresh();
      if (skip < part.length) yield part.subarray(skip);
      skip = Math.max(0, skip - part.length);
    }
  } catch (error) {
    throw failureOf(address, error);
  } finally {
    clearTimeout(watch);
  }
}
