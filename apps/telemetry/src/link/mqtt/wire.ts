import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

/** Bytes to and from one client, whatever carries them. */
export interface Wire {
  /** `TCP`, `TLS` or `WebSocket`. */
  readonly carrier: string;
  /** Bytes that were written and that the client has not taken yet. */
  readonly unsent: number;
  write(bytes: Buffer): void;
  /** Nothing is read until {@link resume}; what the client sends waits with it. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
  on(hear: WireListener): void;
}

export interface WireListener {
  bytes: (chunk: Buffer) => void;
  /** The client has taken what had been written. */
  drained: () => void;
  /** Called once. */
  closed: () => void;
}

/** Wire over a TCP or TLS socket. */
export class SocketWire implements Wire {
  constructor(
    private readonly socket: Socket,
    readonly carrier: 'TCP' | 'TLS',
  ) {}

  get unsent(): number {
    return this.socket.writableLength;
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  on({ bytes, drained, closed }: WireListener): void {
    // Whatever fails on a socket closes it.
    this.socket.on('error', () => undefined);
    this.socket.on('data', bytes).on('drain', drained).once('close', closed).resume();
  }
}

/** Wire over a WebSocket: every control packet is in binary frames, in any way cut up (MQTT 5 section 6). */
export class WebSocketWire implements Wire {
  readonly carrier = 'WebSocket';
  private drained = (): void => undefined;

  constructor(private readonly socket: WebSocket) {}

  get unsent(): number {
    return this.socket.bufferedAmount;
  }

  write(bytes: Buffer): void {
    this.socket.send(bytes, () => {
      if (this.socket.bufferedAmount === 0) this.drained();
    });
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.close(1000);
  }

  destroy(): void {
    this.socket.terminate();
  }

  on({ bytes, drained, closed }: WireListener): void {
    this.drained = drained;
    this.socket.on('message', (data, isBinary) => {
      // Data frames other than binary ones close the connection [MQTT-6.0.0-1].
      if (isBinary && Buffer.isBuffer(data)) bytes(data);
      else this.socket.close(1003);
    });
    this.socket.on('error', () => {
      this.socket.terminate();
    });
    this.socket.once('close', closed);
  }
}
