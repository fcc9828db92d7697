import { CodedError } from '#contracts';
import { z } from 'zod';
import { type Reply, at, jsonPost, readReply, refusalOf, request } from '../http.ts';
import type { DeviceCredentials, Provisioning } from '../link/credentials.ts';
import { isFinal } from '../refusal.ts';
import { MemoryMemory, type ProvisioningMemory, recall } from './memory.ts';

const Registered = z.object({ password: z.string().min(1) });
const Refused = z.object({ error: z.string() });
const Kept = z.object({
  way: z.literal('two-step'),
  customer: z.string(),
  macAddress: z.string(),
  password: z.string(),
  activated: z.boolean(),
});
type Kept = z.output<typeof Kept>;

/** A device that knows its customer's number and its own MAC address, and nothing else. */
export interface TwoStepOptions {
  url: string;
  /** The customer's number. */
  customer: string;
  /** In any usual notation. */
  macAddress: string;
  /** Keeps the password. It has to outlive the process: once activated, the device cannot come by another without a reset. */
  memory?: ProvisioningMemory;
}

/**
 * Provisioning in two steps: `POST /provisioning/register` brings a password, `POST /provisioning/activate` makes it good. The password is
 * saved before it is activated, and one that is saved is activated before another is asked for, so that no lost reply and no crash leaves
 * an activated device without its password.
 */
export function twoStep(options: TwoStepOptions): Provisioning {
  const { customer, macAddress, memory = new MemoryMemory() } = options;
  const isOurs = (kept: Kept) => kept.customer === customer && kept.macAddress === macAddress;
  const save = async (kept: Kept): Promise<Kept> => {
    await memory.save(kept);
    return kept;
  };
  const registerAnew = async () =>
    save({ way: 'two-step', customer, macAddress, password: await register(options), activated: false });
  const activateAndSave = async (kept: Kept) => {
    await activate(options, kept.password);
    return save({ ...kept, activated: true });
  };

  return {
    enter: async (refused) => {
      const kept = await recall(memory, Kept, isOurs);
      if (kept?.activated && !isPassword(refused, kept.password)) return credentialsOf(kept);
      if (kept && !kept.activated) {
        const activated = await activateAndSave(kept).catch(unlessRefused);
        if (activated) return credentialsOf(activated);
      }
      return credentialsOf(await activateAndSave(await registerAnew()));
    },
  };
}

const credentialsOf = ({ customer, macAddress, password }: Kept): DeviceCredentials => ({
  userName: `${customer}/${macAddress}`,
  password,
});

const isPassword = (credentials: DeviceCredentials | undefined, password: string): boolean =>
  credentials !== undefined && 'password' in credentials && credentials.password === password;

/** A saved password that the platform does not know any more is void: another was asked for after it, or the device was reset. */
function unlessRefused(error: unknown): undefined {
  if (!isFinal(error)) throw error;
}

async function register({ url, customer, macAddress }: TwoStepOptions): Promise<string> {
  const reply = await request(
    at(url, '/provisioning/register'),
    jsonPost({ customer_id: customer, mac_address: macAddress }),
  );
  if (reply.ok) return readReply(Registered, reply).password;
  const error = refusalIn(reply);
  if (!isFinal(error) || !/already.*activated|activated.*already/i.test(error.message)) throw error;
  const { message } = error;
  const wayOut = /reset/i.test(message)
    ? message
    : `${message} No password of its that works is kept here: have the device reset (POST /api/devices/:id/reset) to register it again.`;
  throw new CodedError('ALREADY_ACTIVATED', wayOut);
}

async function activate({ url, customer, macAddress }: TwoStepOptions, password: string): Promise<void> {
  const reply = await request(
    at(url, '/provisioning/activate'),
    jsonPost({ customer_id: customer, mac_address: macAddress, password }),
  );
  if (!reply.ok) throw refusalIn(reply);
}

/** A refusal of these routes: `{error}` in place of a problem document. */
function refusalIn(reply: Reply): Error {
  const words = Refused.safeParse(reply.body).data?.error;
  if (words === undefined || reply.status !== 403) {
    return refusalOf(words === undefined ? reply : { ...reply, body: { code: '', detail: words } });
  }
  return new CodedError('FORBIDDEN', words);
}
