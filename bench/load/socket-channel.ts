import { io, type Socket } from 'socket.io-client';
import { z } from 'zod';
import type { Answer, Channel } from './channel.ts';

const Refusal = z.object({ ok: z.literal(false), code: z.string(), retryAfterMs: z.number().default(1_000) });

/** How many readings of a message were rejected; undefined for a refusal. By hand, since the generator's own work costs the server. */
function rejectedOf(answer: unknown): number | undefined {
  const isReceipt = typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true;
  return isReceipt && 'rejected' in answer && Array.isArray(answer.rejected) ? answer.rejected.length : undefined;
}

function answerOf(message: unknown): Answer {
  const rejected = rejectedOf(message);
  if (rejected !== undefined) return { rejected };
  const { code, retryAfterMs } = Refusal.parse(message);
  return { code, retryAfterMs };
}

/** A socket of the namespace `/telemetry`. */
export class SocketChannel implements Channel {
  private readonly socket: Socket;

  constructor(url: string, token: string | undefined) {
    this.socket = io(`${url}/telemetry`, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      autoConnect: false,
      auth: { token },
    });
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once('connect', resolve).once('connect_error', reject).connect();
    });
  }

  send(payload: object, answered: (answer: Answer) => void): void {
    this.socket.emit('readings', payload, (answer: unknown) => answered(answerOf(answer)));
  }

  disconnect(): void {
    this.socket.disconnect();
  }
}
