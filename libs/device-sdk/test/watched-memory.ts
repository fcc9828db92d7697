import { MemoryMemory } from '../src/provisioning/memory.ts';

/** A memory that tells what was kept when. */
export class WatchedMemory extends MemoryMemory {
  readonly saved: object[] = [];

  constructor(private readonly tell: (document: object) => void = () => undefined) {
    super();
  }

  override async save(document: object): Promise<void> {
    await super.save(document);
    this.saved.push(document);
    this.tell(document);
  }
}
