import { crc32 } from 'node:zlib';

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0');

/** One line of a file: the CRC-32 of the text, a space, the text. The text must not contain a line feed. */
export const frame = (text: string): string => `${checksum(text)} ${text}\n`;

/**
 * The texts of the whole lines of a file. A line that was torn by a crash, or that the storage spoiled, does not match its
 * checksum and is left out; the lines after it are read.
 */
export function unframe(content: string): string[] {
  const lines = content.split('\n').slice(0, -1);
  return lines
    .filter((line) => line[8] === ' ' && checksum(line.slice(9)) === line.slice(0, 8))
    .map((line) => line.slice(9));
}
