import type { CommandView, DeviceRef, ErrorBody } from '#contracts';
import { uuid7 } from '#platform';
import type { AttributesUpdate, DeviceLink } from './device-link.ts';
import type { OurSocket, SocketConnection } from './socket-connection.ts';

/** How long a device may take to say that it has attributes, in ms. */
const ATTRIBUTES_MS = 30_000;
/** How long an acknowledgement of a command is waited for, in ms: a device that needs longer answers with `command:answer`. */
const ANSWER_MS = 300_000;
/** Bytes that a message takes beside what it is about. */
const FRAME_BYTES = 256;

/** Takes what a device answered to a command by its acknowledgement. */
export type OnAnswer = (command: CommandView, answer: unknown) => void;

/** A device's socket as a link. */
export class SocketLink implements DeviceLink {
  readonly id = uuid7();
  readonly via = 'socket';
  readonly clientId = null;
  lastSeen: number;

  constructor(
    readonly device: DeviceRef,
    readonly address: string,
    private readonly socket: OurSocket,
    private readonly connection: SocketConnection,
    private readonly onAnswer: OnAnswer,
    now: () => number,
  ) {
    this.lastSeen = now();
    socket.conn.on('packet', () => {
      this.lastSeen = now();
    });
  }

  get protocol(): string {
    return `socket.io ${this.socket.conn.transport.name}`;
  }

  /** The acknowledgement is the answer; before it, nobody knows whether the device has the command, unless it says so. */
  sendCommand(command: CommandView, delivered: () => void): Promise<void> {
    const { id, number, method, params, expiresAt } = command;
    const message = { id, number, method, params, expiresAt };
    this.take(message);
    const timeMs = Math.min(Math.max(1, expiresAt - Date.now()), ANSWER_MS);
    this.socket.timeout(timeMs).emit('command', message, (error: unknown, answer: unknown) => {
      if (error) return;
      delivered();
      this.onAnswer(command, answer);
    });
    return Promise.resolve();
  }

  async sendAttributes(update: AttributesUpdate): Promise<void> {
    this.take(update);
    await new Promise<void>((resolve, reject) => {
      this.socket.timeout(ATTRIBUTES_MS).emit('attributes', update, (error: unknown) => {
        if (error instanceof Error) reject(error);
        else resolve();
      });
    });
  }

  close(reason: ErrorBody): void {
    this.connection.close(reason);
  }

  private take(message: object): void {
    const isThere = this.socket.connected && this.connection.sending(JSON.stringify(message).length + FRAME_BYTES);
    if (!isThere) throw new Error('the socket has ended');
  }
}
