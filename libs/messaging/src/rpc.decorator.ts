import type { PipeTransform } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { z } from 'zod';
import { RPC, type RpcRequest, type RpcSubject } from '#contracts';

/** What a handler of a subject may return: what the reply's schema takes. */
type RpcAnswer<S extends RpcSubject> = z.input<(typeof RPC)[S]['reply']>;

class RequestPipe implements PipeTransform {
  constructor(private readonly subject: RpcSubject) {}

  transform(value: unknown): unknown {
    return RPC[this.subject].request.parse(value);
  }
}

/** Answers requests of other services on a subject of the contracts; the request is the method's only parameter, parsed. */
export const Rpc =
  <S extends RpcSubject>(subject: S) =>
  <F extends (request: RpcRequest<S>) => RpcAnswer<S> | Promise<RpcAnswer<S>>>(
    target: object,
    key: string,
    descriptor: TypedPropertyDescriptor<F>,
  ): void => {
    Payload(new RequestPipe(subject))(target, key, 0);
    MessagePattern(subject)(target, key, descriptor as TypedPropertyDescriptor<unknown>);
  };
