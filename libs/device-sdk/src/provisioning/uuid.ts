import { randomUUID } from 'node:crypto';
import { CodedError } from '#contracts';
import { z } from 'zod';
import { type Reply, at, readReply, refusalOf, request } from '../http.ts';
import { type Provisioning, tokenOf } from '../link/credentials.ts';
import { MemoryMemory, type ProvisioningMemory, recall } from './memory.ts';

const Granted = z.object({ c: z.literal('OK'), t: z.string().min(1) });
const Result = z.object({ c: z.enum(['OK', 'FORBIDDEN', 'NOT_REGISTERED', 'ERROR']) });
const Kept = z.object({ way: z.literal('uuid'), uuid: z.string(), token: z.string().optional() });
type Kept = z.output<typeof Kept>;

/** A device that has the secret key of all masters or all agents. */
export interface UuidOptions {
  url: string;
  /** Which key it is says whether the device is a master or an agent. */
  secretKey: string;
  /** The device's own; without it the device makes one and keeps it. */
  uuid?: string;
  /** An agent's master. */
  master?: string;
  /** Keeps the uuid and the newest token. */
  memory?: ProvisioningMemory;
}

/**
 * Asks `GET /auth/devices/request` for a device JWT, and again whenever it is refused or about to end. The uuid is saved before it is
 * shown to anyone, so that a device that made its own is one device ever after.
 */
export function uuidAndSecret(options: UuidOptions): Provisioning {
  const { memory = new MemoryMemory() } = options;
  const identity = async (): Promise<Kept> => {
    const kept = await recall(memory, Kept, ({ uuid }) => options.uuid === undefined || uuid === options.uuid);
    if (kept) return kept;
    const made: Kept = { way: 'uuid', uuid: options.uuid ?? randomUUID() };
    await memory.save(made);
    return made;
  };
  return {
    enter: async (refused) => {
      const { uuid, token: kept } = await identity();
      if (kept !== undefined && kept !== tokenOf(refused)) return { token: kept };
      const token = await requestToken(options, uuid);
      await memory.save({ way: 'uuid', uuid, token } satisfies Kept);
      return { token };
    },
  };
}

async function requestToken({ url, secretKey, master }: UuidOptions, uuid: string): Promise<string> {
  const query = new URLSearchParams({ uuid, ...(master === undefined ? {} : { master }) });
  const reply = await request(at(url, `/auth/devices/request?${query.toString()}`), {
    headers: { 'x-secret-key': secretKey },
  });
  const result = Result.safeParse(reply.body).data?.c;
  if (result === undefined && !reply.ok) throw refusalOf(reply);
  if (result === 'FORBIDDEN') throw forbidden(uuid, master);
  if (result === 'NOT_REGISTERED') throw notRegistered(uuid);
  if (result === 'ERROR') throw failed(reply, uuid);
  return readReply(Granted, reply).t;
}

const forbidden = (uuid: string, master: string | undefined): CodedError =>
  new CodedError(
    'FORBIDDEN',
    `The platform answered FORBIDDEN to ${uuid}: the secret key is not that of its masters or agents, ` +
      `${master === undefined ? '' : `or ${master} may not be its master, `}or the device is switched off.`,
  );

const notRegistered = (uuid: string): CodedError =>
  new CodedError(
    'NOT_REGISTERED',
    `The platform answered NOT_REGISTERED to ${uuid}: have the device made with that id, or the platform set to DEVICE_REGISTRATION=open.`,
  );

function failed({ status, retryAfterMs }: Reply, uuid: string): CodedError {
  if (status >= 400 && status < 500 && status !== 429) {
    return new CodedError('INVALID_INPUT', `The platform answered ERROR to ${uuid}: is it a uuid, and its master too?`);
  }
  return new CodedError('UNAVAILABLE', `The platform answered ERROR to ${uuid}: it failed.`, { retryAfterMs });
}
