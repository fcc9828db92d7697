import { CodedError } from '#contracts';
import type { Trouble } from '../answers.ts';
import type { Command, CommandOutcome, FirmwareKind, FirmwareReport, WantedAttributes } from './transport.ts';

/** Attributes by scope and key. */
export interface AttributeScopes {
  client: Record<string, unknown>;
  shared: Record<string, unknown>;
}

/**
 * What is said over a link besides readings. Everything resolves once the platform has it; rejects with {@link LinkLostError} when there is
 * no link, when it ends first or when nothing comes back in time, and with {@link RefusedError} when the platform refuses.
 */
export interface Talk {
  readonly isUp: boolean;
  confirmCommand(command: Command): void;
  answerCommand(command: Command, outcome: CommandOutcome): Promise<void>;
  reportAttributes(attributes: Readonly<Record<string, unknown>>): Promise<void>;
  getAttributes(wanted: WantedAttributes): Promise<AttributeScopes>;
  reportFirmware(report: FirmwareReport): Promise<void>;
  loadFirmware(kind: FirmwareKind, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** There was no answer: it may have been carried out or not. */
export class LinkLostError extends CodedError {
  constructor(message = 'There is no connection to the platform, or it ended before the answer came.') {
    super('UNAVAILABLE', message);
    this.name = 'LinkLostError';
  }
}

/** The platform does not take it. */
export class RefusedError extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble.message);
    this.name = 'RefusedError';
  }

  /** An upper-case word, which a newer platform may have made up. */
  get code(): string {
    return this.trouble.code;
  }
}
