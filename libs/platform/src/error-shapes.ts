import { Injectable } from '@nestjs/common';
import type { CodedError } from '#contracts';

/** How an error is told on a path whose document has a form of its own for errors; null is an empty body. */
export type ErrorShape = (error: CodedError) => { status: number; body: Record<string, unknown> | null };

/**
 * The paths whose errors are no problem documents: whatever goes wrong there is told in the form of their document, also what is
 * found out before any route is looked for, such as a body that is not JSON.
 */
@Injectable()
export class ErrorShapes {
  private readonly shapes = new Map<string, ErrorShape>();
  private readonly shapesUnder = new Map<string, ErrorShape>();

  /** @param path As the route has it, such as `/provisioning/register`. */
  set(path: string, shape: ErrorShape): void {
    this.shapes.set(path, shape);
  }

  /** @param prefix What all paths begin with that this is the shape of, such as `/api/v1/`. */
  setUnder(prefix: string, shape: ErrorShape): void {
    this.shapesUnder.set(prefix, shape);
  }

  /** The shape of a request's path; undefined for a problem document. */
  of(path: string): ErrorShape | undefined {
    const lower = path.toLowerCase();
    const shape = this.shapes.get(lower.replace(/(?<=.)\/$/, ''));
    if (shape) return shape;
    for (const [prefix, under] of this.shapesUnder) if (lower.startsWith(prefix)) return under;
    return undefined;
  }
}
