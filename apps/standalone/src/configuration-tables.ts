import type { z } from 'zod';
import { AuthConfig } from '../../auth/src/config.ts';
import { RegistryConfig } from '../../device-registry/src/config.ts';
import { FieldlineConfig } from '../../fieldline/src/config.ts';
import { IotDeviceConfig } from '../../iot-device/src/config.ts';
import { ProvisioningConfig } from '../../provisioning/src/config.ts';
import { TelemetryConfig, TelemetryServersConfig } from '../../telemetry/src/config.ts';
import { NatsConfig, ServiceConfig } from '#platform';
import { StandaloneConfig } from './config.ts';

const INTRODUCTION = `# Configuration

Everything is set by environment variables, read once at the start; one that is set to nothing counts as not set. Any of them may be
given in a file instead, named by the same variable with \`_FILE\` behind it (as Docker secrets are). What is wrong is said in one
line each, and the service does not start.
`;

/** One section of the page: who reads these variables. */
const SECTIONS: [title: string, schema: z.ZodObject][] = [
  ['Every service', ServiceConfig.extend(NatsConfig.shape)],
  ['auth', AuthConfig],
  ['device-registry', RegistryConfig],
  ['provisioning', ProvisioningConfig],
  ['telemetry', TelemetryConfig.extend(TelemetryServersConfig.shape)],
  ['One process (`npm start`)', StandaloneConfig],
  ['iot-device', IotDeviceConfig],
  ['The command line client (`npm run fieldline`)', FieldlineConfig],
];

/** The text of docs/configuration.md, from the schemas that the services read their configuration with. */
export const configurationTables = (): string =>
  [INTRODUCTION, ...SECTIONS.map(([title, schema]) => `## ${title}\n\n${tableOf(schema)}`)].join('\n');

function tableOf(schema: z.ZodObject): string {
  const fields: Record<string, z.ZodType> = schema.shape;
  const rows = Object.entries(fields).map(
    ([name, field]) => `| \`${name}\` | ${defaultOf(field)} | ${cell(field.description ?? '')} |`,
  );
  return ['| variable | default | |', '| --- | --- | --- |', ...rows, ''].join('\n');
}

function defaultOf(field: z.ZodType): string {
  const empty = field.safeParse(undefined);
  if (!empty.success) return 'needed';
  const { defaultValue } = field.def as { defaultValue?: string | number | boolean | string[] };
  return defaultValue === undefined ? '' : `\`${String(defaultValue)}\``;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
