import type { JobErrorEntity } from './job.entity.ts';

/** The errors of an import as a CSV file (RFC 4180). */
export async function* errorsAsCsv(pages: AsyncIterable<JobErrorEntity[]>): AsyncGenerator<string> {
  yield 'line,field,code,message\r\n';
  for await (const errors of pages) yield errors.map(csvLine).join('');
}

/** The errors of an import, a JSON object a line. */
export async function* errorsAsNdjson(pages: AsyncIterable<JobErrorEntity[]>): AsyncGenerator<string> {
  for await (const errors of pages) yield errors.map(jsonLine).join('');
}

const csvLine = ({ line, field, code, message }: JobErrorEntity): string =>
  `${[String(line), field ?? '', code, message].map(quoted).join(',')}\r\n`;

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

const jsonLine = ({ line, field, code, message }: JobErrorEntity): string =>
  `${JSON.stringify({ line, field, code, message })}\n`;
