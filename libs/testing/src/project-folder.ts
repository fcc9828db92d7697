import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function nearestWith(file: string, folder: string): string {
  if (existsSync(join(folder, file))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`no ${file} in any folder above ${fileURLToPath(import.meta.url)}`);
  return nearestWith(file, parent);
}

/** The repository's folder, absolute; the same from the sources and from the build. */
export const projectFolder = nearestWith('package.json', dirname(fileURLToPath(import.meta.url)));
