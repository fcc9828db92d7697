import { type Document, isMap, isScalar, parseDocument } from 'yaml';
import { z } from 'zod';
import type { FileFormat } from './config-file.ts';

const Field = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const Root = z.record(z.string(), z.unknown()).nullable();
const Section = z.record(z.string(), Field);

/** YAML 1.2 with a mapping for each section; other things than such sections are left alone. */
export const yaml: FileFormat = {
  read: (text) => {
    const document = parseDocument(text);
    const [error] = document.errors;
    if (error) throw new Error(`${error.message.split('\n')[0]?.replace(/:$/, '') ?? 'not YAML'}.`);
    const root = Root.safeParse(document.toJS());
    if (!root.success) throw new Error('the file has to be a mapping of sections.');
    const sections = Object.entries(root.data ?? {}).map(([name, value]) => [name, fieldsOf(value)] as const);
    return Object.fromEntries(sections);
  },

  withToken: (text, token) => {
    const document = parseDocument(text);
    const kept = document.getIn(['token', 'jwt'], true);
    const written = JSON.stringify(token);
    if (isScalar(kept) && kept.range && kept.value !== null) {
      return text.slice(0, kept.range[0]) + written + text.slice(kept.range[1]);
    }
    if (!document.has('token') && hasRoomBelow(document)) {
      return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}token:\n  jwt: ${written}\n`;
    }
    if (isMap(document.get('token', true))) document.setIn(['token', 'jwt'], token);
    else document.set('token', { jwt: token });
    return document.toString();
  },
};

/** Can a line of its own be added at the end of the text? */
const hasRoomBelow = ({ contents }: Document): boolean =>
  contents === null || (isMap(contents) && contents.flow !== true);

function fieldsOf(value: unknown): Record<string, string> {
  const section = Section.safeParse(value).data ?? {};
  const given = Object.entries(section).filter(([, field]) => field !== null);
  return Object.fromEntries(given.map(([name, field]) => [name, String(field)]));
}
