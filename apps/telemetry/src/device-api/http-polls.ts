import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import type { Response } from 'express';
import { CodedError, type CommandView, type DevicePrincipal, type DeviceRef, type ErrorBody } from '#contracts';
import { CLOCK, uuid7, type Clock } from '#platform';
import { Connections, type Connection } from '../link/connections.ts';
import type { AttributesUpdate, DeviceLink, Topic } from '../link/device-link.ts';
import { DeviceLinks } from '../link/device-links.ts';
import { pushedAttributes } from './attribute-payloads.ts';
import { deviceApiShape } from './error-shape.ts';

/** Requests of one device that may wait at the same time, on each replica. */
const MAX_POLLS = 8;

/** A request that waits for something to tell a device. */
export interface PollRequest {
  token: string;
  address: string;
  /** What it waits for. */
  topic: Topic;
  timeoutMs: number;
}

/** Requests that stay open until there is something to tell the device that made them: each is a link, until it is answered. */
@Injectable()
export class HttpPolls implements BeforeApplicationShutdown {
  private readonly waiting = new Map<string, Set<Poll>>();

  constructor(
    @Inject(DeviceLinks) private readonly links: DeviceLinks,
    @Inject(Connections) private readonly connections: Connections,
    @Inject(CLOCK) private readonly now: Clock,
  ) {}

  beforeApplicationShutdown(): void {
    for (const polls of this.waiting.values()) {
      for (const poll of polls) poll.close({ code: 'SHUTTING_DOWN', message: 'The service stops: ask again.' });
    }
  }

  /** Answers the request with what there is to tell, or 408 if nothing is in time. Throws `RATE_LIMITED` for too many at a time. */
  wait(principal: DevicePrincipal, { token, address, topic, timeoutMs }: PollRequest, response: Response): void {
    const { device, expiresAt } = principal;
    const polls = this.pollsOf(device.id);
    const poll = new Poll(device, address, this.now(), response, () => {
      this.links.notReady(poll, topic);
    });
    polls.add(poll);
    const connection = this.connections.add(
      { principal, expiresAt },
      { kind: 'token', token },
      {
        warn: () => undefined,
        close: (reason) => {
          poll.close(reason);
        },
      },
    );
    const timer = setTimeout(() => {
      poll.timeOut();
    }, timeoutMs);
    response.once('close', () => {
      clearTimeout(timer);
      this.forget(poll, connection);
    });
    this.links.open(poll);
    this.links.ready(poll, topic);
  }

  private pollsOf(deviceId: string): Set<Poll> {
    const polls = this.waiting.get(deviceId) ?? new Set();
    if (polls.size >= MAX_POLLS) {
      throw new CodedError('RATE_LIMITED', `A device may wait with ${String(MAX_POLLS)} requests at a time.`, {
        retryAfterMs: 1_000,
      });
    }
    this.waiting.set(deviceId, polls);
    return polls;
  }

  private forget(poll: Poll, connection: Connection): void {
    const { id } = poll.device;
    const polls = this.waiting.get(id);
    polls?.delete(poll);
    if (polls?.size === 0) this.waiting.delete(id);
    this.connections.remove(connection);
    this.links.close(poll, 'its request ended');
  }
}

/** One request that waits: whatever is told first is its answer. */
class Poll implements DeviceLink {
  readonly id = uuid7();
  readonly via = 'http';
  readonly protocol = 'HTTP';
  readonly clientId = null;
  private isAnswered = false;

  constructor(
    readonly device: DeviceRef,
    readonly address: string,
    readonly lastSeen: number,
    private readonly response: Response,
    /** It takes nothing any more. */
    private readonly answered: () => void,
  ) {}

  async sendCommand({ number, method, params }: CommandView, delivered: () => void): Promise<void> {
    await this.answer(200, { id: number, method, params });
    delivered();
  }

  async sendAttributes({ changed, deleted }: AttributesUpdate): Promise<void> {
    await this.answer(200, pushedAttributes(changed, deleted));
  }

  timeOut(): void {
    this.end(408, null);
  }

  close(reason: ErrorBody): void {
    const { status, body } = deviceApiShape(new CodedError(reason.code, reason.message));
    if (status === 503) this.response.setHeader('Retry-After', 1);
    this.end(status, body);
  }

  private end(status: number, body: object | null): void {
    this.answer(status, body).catch(() => undefined);
  }

  /** Resolves once the answer has left. Rejects if there was one before, or the device has gone. */
  private answer(status: number, body: object | null): Promise<void> {
    if (this.isAnswered || this.response.destroyed) {
      return Promise.reject(new CodedError('DEVICE_OFFLINE', 'The request of the device has ended: it asks again.'));
    }
    this.isAnswered = true;
    this.answered();
    return new Promise((resolve, reject) => {
      this.response.once('finish', resolve);
      this.response.once('close', () => {
        reject(new CodedError('DEVICE_OFFLINE', 'The device has gone.'));
      });
      this.response.status(status);
      if (body === null) this.response.end();
      else this.response.json(body);
    });
  }
}
