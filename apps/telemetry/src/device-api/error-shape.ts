import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { CodedError } from '#contracts';
import { ErrorShapes, type ErrorShape } from '#platform';

/**
 * Errors as devices of ThingsBoard's HTTP API know them: an unknown token has no more to it than its status; where ThingsBoard says 500
 * to what a device did wrong, we say 400 and the reason.
 */
export const deviceApiShape: ErrorShape = (error) =>
  error.status === 401
    ? { status: 401, body: null }
    : { status: statusOf(error), body: { status: statusOf(error), message: error.message, code: error.code } };

function statusOf({ status }: CodedError): number {
  if (status === 422) return 400;
  return status === 504 ? 503 : status;
}

/** Errors below `/api/v1/` are no problem documents. */
@Injectable()
export class DeviceApiErrors implements OnModuleInit {
  constructor(@Inject(ErrorShapes) private readonly shapes: ErrorShapes) {}

  onModuleInit(): void {
    this.shapes.setUnder('/api/v1/', deviceApiShape);
  }
}
