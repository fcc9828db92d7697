import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { CodedError } from '#contracts';
import { Firmware } from '../firmware/firmware.service.ts';
import type { PackageKind } from './chunk-request.ts';
import { badPayload } from './payload.ts';
import { wholeNumberOf, type Queried } from './query.ts';

/** Which package a device loads, and which part of it. */
export interface DownloadQuery {
  title?: Queried;
  version?: Queried;
  /** Bytes of a chunk; all of it if it is 0 or missing. */
  size?: Queried;
  /** From 0. */
  chunk?: Queried;
}

/** Packages over ThingsBoard's HTTP API. */
@Injectable()
export class PackageDownloads {
  constructor(@Inject(Firmware) private readonly firmware: Firmware) {}

  /** Answers with the bytes. Throws `FIRMWARE_NOT_ASSIGNED`, `BAD_PAYLOAD` for another package than the device's. */
  async answer(deviceId: string, kind: PackageKind, query: DownloadQuery, response: Response): Promise<void> {
    const assigned = await this.firmware.assigned(deviceId, kind);
    if (!assigned) throw new CodedError('FIRMWARE_NOT_ASSIGNED', `No ${kind} is assigned to the device.`);
    const { title, version } = query;
    if (title !== assigned.title || version !== assigned.version) {
      throw badPayload(`"title" and "version" must be those of the assigned ${kind}, as its shared attributes say.`);
    }
    const { from, to } = partOf(assigned.size, wholeNumberOf(query.size, 'size'), wholeNumberOf(query.chunk, 'chunk'));
    response.attachment(assigned.fileName).type('application/octet-stream');
    response.setHeader('x-filename', encodeURIComponent(assigned.fileName));
    response.setHeader('Content-Length', to - from);
    const parts = this.firmware.stream(assigned.package, from, to - from, deviceId);
    await pipeline(Readable.from(parts, { objectMode: false }), response);
  }
}

/** A chunk beyond the end has no bytes. */
function partOf(bytes: number, size: number, chunk: number): { from: number; to: number } {
  if (size === 0) return { from: 0, to: bytes };
  const from = Math.min(bytes, chunk * size);
  return { from, to: Math.min(bytes, from + size) };
}
