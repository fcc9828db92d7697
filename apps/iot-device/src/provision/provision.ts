import { parseArgs } from 'node:util';
import { CodedError } from '#contracts';
import { FileMemory, type ProvisioningMemory, ZeroTouch, type ZeroTouchPlace, keptLogin, persevere } from '#device-sdk';
import { UsageError } from '../usage-error.ts';
import { createMemory } from '../ways.ts';
import { ConfigFile } from './config-file.ts';
import { type Settings, readSettings } from './settings.ts';

const FLAGS = {
  config: { type: 'string' },
  state: { type: 'string' },
  timeout: { type: 'string' },
  json: { type: 'boolean' },
  'show-token': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const HELP = `npm run device -- provision --config <file>     this machine gets itself in by zero touch

  --config <file>     .properties or .yaml: [thingsboard] url, username, password or provisioning_key;
                      [profiles] country_profile_name, state_profile_name, device_profile_name;
                      [device] name, serial, customer; [location] country, state, latitude, longitude
  --state <folder>    keeps the device's access token there; without it in <file>.device.json
  --timeout <s>       how long to wait for a platform that is away; 60 by default
  --show-token        prints the access token too
  --json              prints one JSON document in place of the steps
`;

/** Where a command writes. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
}

interface Command {
  config: string;
  state?: string;
  timeoutMs: number;
  json: boolean;
  showToken: boolean;
}

/** What `--json` prints. */
interface Outcome extends ZeroTouchPlace {
  ok: true;
  url: string;
  handshake: { accepted: number };
  tokenKeptIn: string;
  accessToken?: string;
}

/**
 * `provision --config <file>`: this machine is provisioned as its document has it, in six steps of which each is told in one line. Gives
 * the exit code: 0 when the handshake has its receipt, 1 when the platform refuses or stays away.
 *
 * @throws {UsageError} for flags or a file that are not understood.
 */
export async function provision(args: readonly string[], output: Output): Promise<number> {
  const command = readCommand(args);
  if (!command) {
    output.out(HELP.trimEnd());
    return 0;
  }
  const file = await ConfigFile.open(command.config);
  const settings = readSettings(command.config, file.sections);
  try {
    await carryOut(command, file, settings, output);
    return 0;
  } catch (error) {
    const { code, message } = explain(error, command, settings);
    if (command.json) output.out(JSON.stringify({ ok: false, code, message }));
    output.err(message);
    return 1;
  }
}

function readCommand(args: readonly string[]): Command | undefined {
  const flags = readFlags(args);
  if (flags.help) return undefined;
  const { config, state, timeout = '60', json = false, 'show-token': showToken = false } = flags;
  if (config === undefined)
    throw new UsageError('Which file? Give --config <file>. See npm run device -- provision --help.');
  const seconds = Number(timeout);
  if (!(seconds >= 0)) throw new UsageError('--timeout must be a number of seconds.');
  return { config, state, timeoutMs: seconds * 1_000, json, showToken };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS }).values;
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\. |\n/);
    throw new UsageError(`${sentence}. See npm run device -- provision --help.`);
  }
}

async function carryOut(command: Command, file: ConfigFile, settings: Settings, output: Output): Promise<void> {
  const say = (step: number, line: string) => {
    if (!command.json) output.out(`${step}/6 ${line}`);
  };
  const { memory, keptIn } = memoryOf(command, settings);
  const stubbornly = <T>(attempt: () => Promise<T>) =>
    persevere(attempt, {
      giveUpAfterMs: command.timeoutMs,
      onRetry: ({ error, retryInMs }) => {
        output.err(`${messageOf(error)} Trying again in ${(retryInMs / 1_000).toFixed(1)} s.`);
      },
    });
  const caller = callerOf(settings, file, output, (line) => say(1, line));
  const way = new ZeroTouch({ url: settings.url, caller, device: settings.device, memory });
  if ('getToken' in caller) await stubbornly(() => caller.getToken());
  else say(1, `Authentication: by a provisioning key, at ${settings.url}.`);

  const place = await stubbornly(() => way.provision());
  say(2, `Location: ${describeLocation(place)}.`);
  say(3, `Assets: ${place.assets.map(({ name }) => name).join(' > ') || 'none'}.`);
  say(4, `Device: ${place.device.name} (${place.device.id})${describeCreation(place)}.`);
  say(5, `Credentials: the access token is kept in ${keptIn}.`);
  for (const warning of place.warnings) output.err(`Warning: ${warning}`);
  const accepted = await stubbornly(() => way.shakeHands());
  say(6, `Handshake: ${accepted} readings are stored.`);

  const token = command.showToken ? await tokenIn(way) : undefined;
  if (command.json) {
    const outcome: Outcome = { ok: true, url: settings.url, ...place, handshake: { accepted }, tokenKeptIn: keptIn };
    output.out(JSON.stringify({ ...outcome, ...(token === undefined ? {} : { accessToken: token }) }));
    return;
  }
  if (token !== undefined) output.out(`Access token: ${token}`);
  output.out(`Device ${place.device.id} is in; its token is kept in ${keptIn}.`);
}

function memoryOf({ config, state }: Command, { device }: Settings): { memory: ProvisioningMemory; keptIn: string } {
  const memory =
    state === undefined ? new FileMemory(`${config}.device.json`) : createMemory(state, 'zero-touch', device.name);
  return { memory, keptIn: memory instanceof FileMemory ? memory.path : 'memory' };
}

function callerOf({ url, caller }: Settings, file: ConfigFile, output: Output, say: (line: string) => void) {
  if ('provisioningKey' in caller) return caller;
  let failure: string | undefined;
  const store = file.tokenStore((message) => (failure = message));
  const getToken = keptLogin({
    url,
    ...caller,
    store,
    onToken: (by) => {
      if (failure !== undefined) output.err(`Warning: ${failure}`);
      const kept = failure === undefined ? `; its token is kept in ${file.path}` : '';
      if (by === 'kept') say(`Authentication: the token in ${file.path} is good.`);
      else say(`Authentication: logged in as ${caller.email} at ${url}${kept}.`);
    },
  });
  return { getToken };
}

async function tokenIn(way: ZeroTouch): Promise<string | undefined> {
  const credentials = await way.enter();
  return 'token' in credentials ? credentials.token : undefined;
}

function describeLocation({ location }: ZeroTouchPlace): string {
  if (!location) return 'none';
  const { country, state, latitude, longitude, source } = location;
  const names = [state, country].filter((name) => name !== undefined).join(', ') || 'unnamed';
  const point = latitude === undefined || longitude === undefined ? '' : ` (${latitude}, ${longitude})`;
  return `${names}${point}, ${SOURCES[source] ?? source}`;
}

const SOURCES: Record<string, string> = {
  request: 'as the file says',
  ip: 'by the address of this machine',
  config: "as the file or the platform's configuration says",
};

const describeCreation = ({ created }: ZeroTouchPlace): string =>
  created === undefined ? '' : created ? ', made' : ', found';

/** What went wrong and what to do about it, in one line. */
function explain(error: unknown, { config }: Command, settings: Settings): { code: string; message: string } {
  const code = CodedError.from(error)?.code ?? 'UNAVAILABLE';
  const [title, todo] = adviceOn(code, config, settings) ?? ['Refused', 'Put that right and run this again.'];
  return { code, message: `${title}: ${messageOf(error).replace(/\s+/g, ' ')} ${todo}` };
}

function adviceOn(code: string, config: string, { url, caller, device }: Settings): [string, string] | undefined {
  const byKey = 'provisioningKey' in caller;
  switch (code) {
    case 'BAD_CREDENTIALS':
    case 'TOKEN_EXPIRED':
    case 'TOKEN_REVOKED':
    case 'UNAUTHENTICATED':
      return byKey
        ? ['Not allowed', `Put right provisioning_key in [thingsboard] of ${config}.`]
        : ['Token refresh failed', `Put right username and password in [thingsboard] of ${config}.`];
    case 'TOO_MANY_ATTEMPTS':
      return ['Token refresh failed', `Put right the password in ${config}, and wait before the next attempt.`];
    case 'FORBIDDEN':
      return ['Not allowed', `The username in ${config} has to be an administrator or operator.`];
    case 'PROVISIONING_KEY_USED_UP':
      return ['Not allowed', `Have another key made, and put it into ${config}.`];
    case 'PROFILE_NOT_FOUND':
      return ['Profile not found', `Put right the names in [profiles] of ${config}, or have the profile made.`];
    case 'DEVICE_LIMIT_REACHED':
      return ['No room', "Have the customer's device limit raised, or a device deleted."];
    case 'DEVICE_MISMATCH':
      return [
        'Another device',
        `Put right name and serial in [device] of ${config} (${device.name}, ${device.serial}).`,
      ];
    case 'UNAVAILABLE':
      return ['Not finished', `Check url in [thingsboard] of ${config} (${url}), and run this again.`];
    default:
      return undefined;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
