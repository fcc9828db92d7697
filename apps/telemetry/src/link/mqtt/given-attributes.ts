import type { AttributesUpdate } from '../device-link.ts';

const GIVEN = Symbol('attributes that the device has asked for');
/** Answers that are remembered. */
const MOST = 4;

interface Given {
  version: number;
  /** All shared attributes, or those of these keys. */
  keys: ReadonlySet<string> | true;
  received: Promise<void>;
}

/** Shared attributes that a device was given in a session because it asked for them. */
export class GivenAttributes {
  private answers: Given[] = [];

  /** It was given those of these keys, or all, as of a version; `received` resolves once it has the answer. */
  note(version: number, keys: readonly string[] | true | undefined, received: Promise<void>): void {
    received.catch(() => undefined);
    if (keys === undefined) return;
    const given = { version, keys: keys === true ? keys : new Set(keys), received };
    this.answers = [...this.answers.slice(1 - MOST), given];
  }

  /** Resolves once it has the answer that has everything of an update; undefined if there is none. */
  covering({ version, changed, deleted }: AttributesUpdate): Promise<void> | undefined {
    const keys = [...Object.keys(changed), ...deleted];
    const has = (given: Given): boolean =>
      given.version >= version && keys.every((key) => given.keys === true || given.keys.has(key));
    return this.answers.find(has)?.received;
  }
}

/** Those of a session, by what is kept with it. */
export function givenAttributes(kept: Map<symbol, unknown>): GivenAttributes {
  const before = kept.get(GIVEN);
  if (before instanceof GivenAttributes) return before;
  const given = new GivenAttributes();
  kept.set(GIVEN, given);
  return given;
}
