import type { FileFormat, Sections } from './config-file.ts';

const SECTION = /^\[([^\]]+)\]\s*$/;
const FIELD = /^([^=:\s][^=:]*?)\s*[=:]\s*(.*?)\s*$/;

/**
 * Sections and `key = value` lines, as Python's configparser reads them (without interpolation): keys in any case, `#` and `;` begin
 * comments at the start of a line.
 */
export const properties: FileFormat = {
  read: (text) => {
    const sections: Sections = {};
    let current: Record<string, string> | undefined;
    for (const [index, line] of linesOf(text).entries()) {
      if (isComment(line)) continue;
      const section = SECTION.exec(line.trim());
      if (section?.[1] !== undefined) {
        current = sections[section[1].trim()] ??= {};
        continue;
      }
      const [, key, value] = FIELD.exec(line) ?? [];
      if (key === undefined || value === undefined) throw new Error(`line ${index + 1} is not key = value.`);
      if (!current) throw new Error(`line ${index + 1} is before the first [section].`);
      if (key.toLowerCase() in current) throw new Error(`line ${index + 1}: ${key} is there twice.`);
      current[key.toLowerCase()] = value;
    }
    return sections;
  },

  withToken: (text, token) => {
    const eol = text.includes('\r\n') ? '\r\n' : '\n';
    const lines = text.split(/(?<=\n)/);
    const header = lines.findIndex((line) => SECTION.exec(line.trim())?.[1]?.trim() === 'token');
    if (header === -1) {
      const gap = text === '' ? '' : text.endsWith('\n') ? eol : eol + eol;
      return `${text}${gap}[token]${eol}jwt = ${token}${eol}`;
    }
    const next = lines.findIndex((line, index) => index > header && SECTION.test(line.trim()));
    const end = next === -1 ? lines.length : next;
    const own = lines.findIndex((line, index) => index > header && index < end && /^jwt\s*[=:]/i.test(line));
    if (own === -1) {
      const line = lines[header] ?? '';
      lines[header] = `${line.endsWith('\n') ? line : line + eol}jwt = ${token}${eol}`;
    } else {
      lines[own] = (lines[own] ?? '').replace(/^(jwt\s*[=:][ \t]*)[^\r\n]*/i, (_, start: string) => `${start}${token}`);
    }
    return lines.join('');
  },
};

const linesOf = (text: string): string[] => text.replace(/^\uFEFF/, '').split(/\r?\n/);

const isComment = (line: string): boolean => /^\s*(?:[#;]|$)/.test(line);
