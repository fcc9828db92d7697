import { readFile, realpath, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { type TokenStore, replaceFile } from '#device-sdk';
import { UsageError } from '../usage-error.ts';
import { properties } from './properties.ts';
import { yaml } from './yaml.ts';

/** The fields of a configuration by section and name. */
export type Sections = Record<string, Record<string, string>>;

/** A way to write sections of fields. */
export interface FileFormat {
  /** Throws an Error whose message says what is wrong in which line. */
  read(text: string): Sections;
  /** The text with this `jwt` in the section `token`, and everything else as it was. */
  withToken(text: string, token: string): string;
}

/** A file with the configuration of one device, in which the token of the person who provisions it is kept. */
export class ConfigFile {
  private constructor(
    readonly path: string,
    private readonly format: FileFormat,
    readonly sections: Sections,
  ) {}

  /** Throws {@link UsageError} for a file that cannot be read or understood. */
  static async open(path: string): Promise<ConfigFile> {
    const format = formatOf(path);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw new UsageError(`${path} cannot be read: ${messageOf(error)}.`);
    });
    try {
      return new ConfigFile(path, format, format.read(text));
    } catch (error) {
      throw new UsageError(`${path}: ${messageOf(error)}`);
    }
  }

  /** Keeps the token in the file, whose other bytes, mode and owner stay as they are; `onFailure` is told if it cannot be written. */
  tokenStore(onFailure: (message: string) => void): TokenStore {
    return {
      load: () => Promise.resolve(this.sections['token']?.['jwt'] || undefined),
      save: async (token) => {
        try {
          const path = await realpath(this.path);
          const { mode, uid, gid } = await stat(path);
          const text = this.format.withToken(await readFile(path, 'utf8'), token);
          await replaceFile(path, text, { mode: mode & 0o7777, uid, gid });
        } catch (error) {
          onFailure(`The token could not be kept in ${this.path}: ${messageOf(error)}.`);
        }
      },
    };
  }
}

function formatOf(path: string): FileFormat {
  const ending = extname(path).toLowerCase();
  if (ending === '.yaml' || ending === '.yml' || ending === '.json') return yaml;
  if (ending === '.properties' || ending === '.ini' || ending === '.cfg' || ending === '.conf') return properties;
  throw new UsageError(`${path}: the file has to be a .properties or a .yaml file.`);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
