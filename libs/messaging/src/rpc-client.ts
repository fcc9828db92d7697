import { Inject, Injectable } from '@nestjs/common';
import type { ClientProxy } from '@nestjs/microservices';
import { lastValueFrom, TimeoutError, timeout } from 'rxjs';
import type { z } from 'zod';
import { CodedError, RPC, type RpcReply, type RpcSubject } from '#contracts';

/** Injection symbol of Nest's client that requests go through. */
export const RPC_PROXY = Symbol('RPC_PROXY');

/** How long a request between services may take, in ms. */
const TIMEOUT_MS = 5_000;
/** When to try again after a service was not there, in ms. */
const RETRY_AFTER_MS = 1_000;

/** Requests to other services, typed by the contracts. */
@Injectable()
export class RpcClient {
  constructor(@Inject(RPC_PROXY) private readonly proxy: ClientProxy) {}

  /**
   * Asks and waits for the reply. Throws the coded error of the handler, `UNAVAILABLE` when nobody answers on the subject,
   * `UPSTREAM_TIMEOUT` when somebody does but not in time.
   */
  async call<S extends RpcSubject>(
    subject: S,
    request: z.input<(typeof RPC)[S]['request']>,
    timeoutMs: number = TIMEOUT_MS,
  ): Promise<RpcReply<S>> {
    const body = RPC[subject].request.parse(request);
    const reply = await this.ask(subject, body, timeoutMs);
    return RPC[subject].reply.parse(reply) as RpcReply<S>;
  }

  private async ask(subject: string, body: unknown, timeoutMs: number): Promise<unknown> {
    try {
      return await lastValueFrom(this.proxy.send<unknown>(subject, body).pipe(timeout(timeoutMs)), {
        defaultValue: null,
      });
    } catch (error) {
      const coded = CodedError.from(error);
      if (coded) throw coded;
      const service = subject.split('.', 1)[0] ?? subject;
      if (error instanceof TimeoutError) {
        throw new CodedError(
          'UPSTREAM_TIMEOUT',
          `The ${service} service did not answer within ${String(timeoutMs)} ms; try again.`,
          {
            cause: error,
          },
        );
      }
      throw new CodedError('UNAVAILABLE', `The ${service} service is not available just now; try again.`, {
        retryAfterMs: RETRY_AFTER_MS,
        cause: error,
      });
    }
  }
}
