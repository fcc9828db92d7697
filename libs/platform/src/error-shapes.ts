import { Injectable } from '@nestjs/common';
import type { CodedError } from '#contracts';

/** How an error is told on a path whose document has a form of its own for errors. */
export type ErrorShape = (error: CodedError) => { status: number; body: Record<string, unknown> };

/**
 * The paths whose errors are no problem documents: whatever goes wrong there is told in the form of their document, also what is
 * found out before any route is looked for, such as a body that is not JSON.
 */
@Injectable()
export class ErrorShapes {
  private readonly shapes = new Map<string, ErrorShape>();

  /** @param path As the route has it, such as `/provisioning/register`. */
  set(path: string, shape: ErrorShape): void {
    this.shapes.set(path, shape);
  }

  /** The shape of a request's path; undefined for a problem document. */
  of(path: string): ErrorShape | undefined {
    return this.shapes.get(path.toLowerCase().replace(/(?<=.)\/$/, ''));
  }
}
