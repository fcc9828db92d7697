import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { ERRORS, type ErrorCode } from '#contracts';

/** Documents the codes of the problem documents (RFC 9457) that a route may answer with, by their status. */
export function ApiProblems(...codes: ErrorCode[]): MethodDecorator & ClassDecorator {
  const statuses = new Set(codes.map((code) => ERRORS[code].status));
  return applyDecorators(
    ...[...statuses].map((status) =>
      ApiResponse({ status, description: codes.filter((code) => ERRORS[code].status === status).join(', ') }),
    ),
  );
}
