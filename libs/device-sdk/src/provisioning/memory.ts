import type { z } from 'zod';

/** Where a device keeps what it learned while it was let in: one small JSON document. */
export interface ProvisioningMemory {
  /** What was saved last; undefined if nothing was. */
  load(): Promise<unknown>;
  /** Resolves when the document is where it outlives what the memory is to outlive. */
  save(document: object): Promise<void>;
}

/** Keeps the document as long as the process runs. */
export class MemoryMemory implements ProvisioningMemory {
  private document: object | undefined;

  load(): Promise<unknown> {
    return Promise.resolve(structuredClone(this.document));
  }

  save(document: object): Promise<void> {
    this.document = structuredClone(document);
    return Promise.resolve();
  }
}

/** What a way kept, if it is this way's and of this device. */
export async function recall<T>(
  memory: ProvisioningMemory,
  shape: z.ZodType<T>,
  isOurs: (kept: T) => boolean,
): Promise<T | undefined> {
  const kept = shape.safeParse(await memory.load()).data;
  return kept !== undefined && isOurs(kept) ? kept : undefined;
}
