import { Inject, Injectable } from '@nestjs/common';
import { CodedError } from '#contracts';
import { Firmware } from '../firmware/firmware.service.ts';
import type { MqttLink, TopicHandler } from '../link/mqtt/topic-handler.ts';
import type { DeviceApiHandlers } from '../link/mqtt/topics.ts';
import { Presence } from '../presence/presence.service.ts';
import { parseChunkRequest, type ChunkRequest } from './chunk-request.ts';

/** Largest part of a package that goes out in one message: it is in memory as a whole. */
export const LARGEST_CHUNK_BYTES = 16_777_216;
/** What may be on its way to one device before its next request waits, in bytes; one chunk may be larger. */
const ON_THE_WAY_BYTES = 262_144;
/** What may be on its way to all devices of this replica, in bytes. */
const ON_THE_WAY_TO_ALL_BYTES = 67_108_864;
/** When a device's request is looked at again while that much is, in ms. */
const LATER_MS = 500;
/** Downloads that are remembered of one session. */
const MAX_DOWNLOADS = 16;

const DOWNLOADS = Symbol('downloads of packages');

/** A package as it was when the device first asked for it under this id, so that all chunks are of the same one. */
interface Download {
  package: string;
  bytes: number;
  /** Bytes of a chunk; 0: the whole package. */
  size: number;
}

/** What one session loads. */
class Downloads {
  readonly byRequest = new Map<string, Download>();
  readonly onTheWay = new Set<Promise<void>>();
  onTheWayBytes = 0;
}

/** Why a device gets no chunk, in the word that ThingsBoard has for it. */
type Trouble = 'NOT_FOUND' | 'PAYLOAD_TOO_LARGE';

/** ThingsBoard's way of loading packages over MQTT, chunk by chunk. */
@Injectable()
export class PackageChunkTopics {
  private onTheWayToAllBytes = 0;

  constructor(
    @Inject(Firmware) private readonly firmware: Firmware,
    @Inject(Presence) private readonly presence: Presence,
  ) {}

  get handlers(): DeviceApiHandlers {
    return { firmwareChunk: this.requested };
  }

  /** Resolves once the chunk is on its way; whoever is slow to take chunks gets the next one later. */
  private readonly requested: TopicHandler = async (link, { topic, levels, payload }) => {
    const request = parseChunkRequest(topic, levels, payload);
    const downloads = downloadsOf(link);
    const download = await this.download(link, downloads, request);
    if (!download) {
      this.tell(link, request, topic, 'NOT_FOUND');
      return;
    }
    if (request.size > 0) download.size = request.size;
    const { offset, length } = partOf(download, request.chunk);
    if (length > LARGEST_CHUNK_BYTES) {
      this.tell(link, request, topic, 'PAYLOAD_TOO_LARGE');
      return;
    }
    await roomFor(downloads, length);
    const chunk = await this.read(link, download, offset, length);
    if (!chunk) {
      this.tell(link, request, topic, 'NOT_FOUND');
      return;
    }
    this.send(link, downloads, request, chunk);
  };

  private async download(
    link: MqttLink,
    { byRequest }: Downloads,
    { kind, request }: ChunkRequest,
  ): Promise<Download | undefined> {
    const key = `${kind} ${request}`;
    const begun = byRequest.get(key);
    if (begun) return begun;
    const assigned = await this.firmware.assigned(link.principal.device.id, kind);
    if (!assigned) return undefined;
    const download = { package: assigned.package, bytes: assigned.size, size: 0 };
    byRequest.set(key, download);
    const [oldest] = byRequest.keys();
    if (byRequest.size > MAX_DOWNLOADS && oldest !== undefined) byRequest.delete(oldest);
    return download;
  }

  /** Undefined if the package is gone. Throws `BUSY`, upon which the request is tried again, while too much is on its way. */
  private async read(
    { principal }: MqttLink,
    { package: id }: Download,
    offset: number,
    length: number,
  ): Promise<Buffer | undefined> {
    if (this.onTheWayToAllBytes > 0 && this.onTheWayToAllBytes + length > ON_THE_WAY_TO_ALL_BYTES) {
      throw new CodedError('BUSY', 'Many devices load packages just now.', { retryAfterMs: LATER_MS });
    }
    this.onTheWayToAllBytes += length;
    try {
      const chunk = await this.firmware.chunk(id, offset, length, principal.device.id);
      return chunk.length === length ? chunk : undefined;
    } finally {
      this.onTheWayToAllBytes -= length;
    }
  }

  private send(link: MqttLink, downloads: Downloads, request: ChunkRequest, chunk: Buffer): void {
    const topic = `${topicsOf(request)}/response/${request.request}/chunk/${String(request.chunk)}`;
    const sent = link
      .send(topic, chunk)
      .catch((thrown: unknown) => {
        const isTooLarge = thrown instanceof CodedError && thrown.code === 'PACKET_TOO_LARGE';
        if (isTooLarge) this.tell(link, request, topic, 'PAYLOAD_TOO_LARGE');
      })
      .finally(() => {
        this.onTheWayToAllBytes -= chunk.length;
        downloads.onTheWayBytes -= chunk.length;
        downloads.onTheWay.delete(sent);
      });
    this.onTheWayToAllBytes += chunk.length;
    downloads.onTheWayBytes += chunk.length;
    downloads.onTheWay.add(sent);
  }

  /** The session goes on: a device that is told why need not lose what it is doing besides. */
  private tell(link: MqttLink, request: ChunkRequest, topic: string, trouble: Trouble): void {
    this.presence.note(link.principal.device.id, { kind: 'refused', reason: REASONS[trouble](request.kind), topic });
    link.send(`${topicsOf(request)}/error`, trouble).catch(() => undefined);
  }
}

const REASONS: Record<Trouble, (kind: string) => string> = {
  NOT_FOUND: (kind) => `No ${kind} is assigned to the device, or the package is gone.`,
  PAYLOAD_TOO_LARGE: () =>
    `A chunk has at most ${String(LARGEST_CHUNK_BYTES)} bytes, and what the client takes: ask for smaller ones, by their size as payload.`,
};

const topicsOf = ({ kind }: ChunkRequest): string => (kind === 'firmware' ? 'v2/fw' : 'v2/sw');

/** Which bytes a chunk has: none beyond the end. */
function partOf({ bytes, size }: Download, chunk: number): { offset: number; length: number } {
  const each = size === 0 ? bytes : size;
  const offset = chunk * each;
  return { offset, length: Math.max(0, Math.min(each, bytes - offset)) };
}

function downloadsOf(link: MqttLink): Downloads {
  const kept = link.kept.get(DOWNLOADS);
  if (kept instanceof Downloads) return kept;
  const downloads = new Downloads();
  link.kept.set(DOWNLOADS, downloads);
  return downloads;
}

async function roomFor(downloads: Downloads, bytes: number): Promise<void> {
  while (downloads.onTheWay.size > 0 && downloads.onTheWayBytes + bytes > ON_THE_WAY_BYTES) {
    await Promise.race(downloads.onTheWay);
  }
}
