import { ConsoleLogger, type LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';

/** What adapters need of a logger. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** Fields that are never written, wherever an object with them is logged. */
const SECRET_FIELDS = ['password', 'token', 'accessToken', 'refreshToken', 'secret', 'authorization'];

/** The logger of a process: JSON lines on standard output with the service's name. */
export function createLogger(service: string, level: string): Logger {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), remove: true },
  });
}

/** Lets Nest's own messages go through pino, with their context. */
export class NestLogger extends ConsoleLogger implements LoggerService {
  constructor(private readonly out: Logger) {
    super();
  }

  override log(message: unknown, ...rest: unknown[]): void {
    this.out.debug({ context: rest.at(-1) }, text(message));
  }
  override warn(message: unknown, ...rest: unknown[]): void {
    this.out.warn({ context: rest.at(-1) }, text(message));
  }
  override error(message: unknown, ...rest: unknown[]): void {
    if (toldByStart(message)) return;
    this.out.error({ context: rest.at(-1), ...(rest.length > 1 ? { stack: rest[0] } : {}) }, text(message));
  }
  override fatal(message: unknown, ...rest: unknown[]): void {
    this.out.fatal({ context: rest.at(-1) }, text(message));
  }
  override debug(message: unknown, ...rest: unknown[]): void {
    this.out.debug({ context: rest.at(-1) }, text(message));
  }
  override verbose(message: unknown, ...rest: unknown[]): void {
    this.out.trace({ context: rest.at(-1) }, text(message));
  }
}

/** Why nobody can listen on the port is the one line that `runService` ends with. */
const toldByStart = (message: unknown): boolean => /^Error: listen E(?:ADDRINUSE|ACCES)\b/.test(text(message));

const text = (message: unknown): string =>
  message instanceof Error
    ? (message.stack ?? message.message)
    : typeof message === 'string'
      ? message
      : JSON.stringify(message);
