import { z } from 'zod';
import type { Place } from '#contracts';
import { LocationFailure, type LocationProvider } from './location-provider.ts';
import { placeFound } from './place-found.ts';

/** Longest answer that is read, in bytes. */
const MAX_BYTES = 65_536;

/** What providers call things: `country` is a code where there is a `country_name`. */
const Answer = z.looseObject({
  country_name: z.unknown().optional(),
  country: z.unknown().optional(),
  region: z.unknown().optional(),
  state: z.unknown().optional(),
  latitude: z.unknown().optional(),
  longitude: z.unknown().optional(),
  error: z.unknown().optional(),
});

/** Asks an HTTP service, such as ipapi.co, for `url` with the address in the place of `{ip}`. */
export class HttpLocations implements LocationProvider {
  constructor(
    private readonly url: string,
    private readonly timeoutMs: number,
  ) {}

  async locate(address: string): Promise<Place | null> {
    const answer = parsed(await this.ask(address));
    if (answer.error !== undefined && answer.error !== false) {
      throw new LocationFailure('the location service answered with an error');
    }
    const { country_name: name, country, region, state, latitude, longitude } = answer;
    return placeFound({ country: name ?? country, state: region ?? state, latitude, longitude });
  }

  private async ask(address: string): Promise<string> {
    const signal = AbortSignal.timeout(this.timeoutMs);
    try {
      const response = await fetch(this.url.replaceAll('{ip}', encodeURIComponent(address)), {
        headers: { Accept: 'application/json', 'User-Agent': 'fieldline' },
        redirect: 'error',
        signal,
      });
      if (response.status === 404) return await cancelled(response, '{}');
      if (!response.ok) {
        await cancelled(response, '');
        throw new LocationFailure(`the location service answered with status ${String(response.status)}`);
      }
      return await boundedText(response);
    } catch (error) {
      if (error instanceof LocationFailure) throw error;
      const late = `the location service did not answer within ${String(this.timeoutMs)} ms`;
      throw new LocationFailure(signal.aborted ? late : 'the location service could not be reached');
    }
  }
}

async function cancelled(response: Response, text: string): Promise<string> {
  await response.body?.cancel();
  return text;
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    const part = z.instanceof(Uint8Array).parse(chunk);
    bytes += part.byteLength;
    if (bytes > MAX_BYTES) throw new LocationFailure('the location service answered with too much');
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): z.output<typeof Answer> {
  try {
    return Answer.parse(JSON.parse(text));
  } catch {
    throw new LocationFailure('the location service answered with something other than a JSON object');
  }
}
