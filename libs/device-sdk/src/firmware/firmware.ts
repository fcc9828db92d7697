import { CodedError } from '#contracts';
import { type BackoffOptions, fullJitter } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { Talk } from '../link/talk.ts';
import type { FirmwareKind, FirmwareReport, FirmwareState } from '../link/transport.ts';
import { isCredentialCode, isFinal } from '../refusal.ts';
import { type FirmwarePackage, assignedIn, prefixOf } from './assigned.ts';
import { PackageFile, TooManyBytesError } from './package-file.ts';
import { StateReports } from './state-reports.ts';

/** A package that is ready to be installed. */
export interface FirmwareFile extends FirmwarePackage {
  /** Where it is; the file is removed once `install` has resolved. */
  readonly file: string;
}

/** How a device takes packages of one kind. */
export interface FirmwareOptions {
  /** `firmware` by default. */
  kind?: FirmwareKind;
  /** What runs now. After a restart this tells whether the installation has worked. */
  current: { title: string; version: string };
  /** Where packages are kept while they are loaded and installed; one for each device. */
  folder: string;
  /**
   * Installs a verified package: resolves once it runs, and rejects if it does not. It may also restart the device, and leave it to
   * `current` of the next run to tell.
   */
  install: (firmware: FirmwareFile) => Promise<void> | void;
}

export interface FirmwareSurroundings {
  backoff: BackoffOptions;
  clock: Clock;
  random: () => number;
  /** Tells of every state. */
  told: (report: FirmwareReport) => void;
}

/** Downloads of a package whose checksum may be wrong before it is given up. */
const MAX_DOWNLOADS = 3;
/** Installations that may be begun and not be heard of again, or fail, before a package is given up. */
const MAX_INSTALLS = 3;
/** How often a download tells how far it is. */
const PROGRESS_STEPS = 10;

/** Follows the packages of one kind that the platform assigns to the device: loads, checks, installs, and tells of each step. */
export class Firmware {
  private readonly kind: FirmwareKind;
  private readonly reports: StateReports;
  private current: { title: string; version: string };
  private target: FirmwarePackage | undefined;
  private work: AbortController | undefined;
  private before: Promise<void> = Promise.resolve();
  private endWait: (() => void) | undefined;
  private setbacks = 0;
  private stopped = false;

  constructor(
    private readonly talk: Talk,
    private readonly options: FirmwareOptions,
    private readonly surroundings: FirmwareSurroundings,
  ) {
    this.kind = options.kind ?? 'firmware';
    this.current = { ...options.current };
    this.reports = new StateReports(talk, surroundings);
  }

  /** The shared attributes are these; `written` are the keys that the platform has just written, perhaps with the values of before. */
  assigned(shared: Readonly<Record<string, unknown>>, written: readonly string[]): void {
    const target = assignedIn(shared, this.kind);
    const again = written.includes(`${prefixOf(this.kind)}_version`);
    if (isSame(target, this.target) && (!again || this.work)) return;
    this.target = target;
    this.begin(target, again);
  }

  linkUp(): void {
    this.reports.linkUp();
    this.endWait?.();
  }

  stop(): void {
    this.stopped = true;
    this.work?.abort();
    this.endWait?.();
    this.reports.stop();
  }

  private begin(target: FirmwarePackage | undefined, afresh: boolean): void {
    this.work?.abort();
    this.work = undefined;
    if (!target || this.stopped) return;
    const work = new AbortController();
    this.work = work;
    this.before = this.before
      .then(() => this.bringUp(target, afresh, work.signal))
      .finally(() => {
        if (this.work === work) this.work = undefined;
      });
  }

  /** An installation that has begun is not called off: the next package waits for its end. Never rejects. */
  private async bringUp(target: FirmwarePackage, afresh: boolean, signal: AbortSignal): Promise<void> {
    const file = new PackageFile(this.options.folder, target);
    try {
      if (signal.aborted) return;
      await file.prepare();
      if (this.runs(target)) await this.finish(target, file);
      else await this.loadAndInstall(target, file, afresh, signal);
    } catch (error) {
      if (!signal.aborted) this.tell(target, 'FAILED', { error: messageOf(error) });
    }
  }

  private async loadAndInstall(
    target: FirmwarePackage,
    file: PackageFile,
    afresh: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    if (afresh) await file.note({ downloads: 0, installs: 0 });
    const { installs } = await file.attempts();
    if (installs >= MAX_INSTALLS) {
      throw new Error(`The device did not come up with ${target.version} after ${installs} installations.`);
    }
    await this.load(target, file, signal);
    if (signal.aborted) return;
    await this.install(target, file);
  }

  /** Until the right bytes are here; a lost link costs no attempt. */
  private async load(target: FirmwarePackage, file: PackageFile, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.download(target, file, signal);
      if (signal.aborted) return;
      this.tell(target, 'DOWNLOADED', { bytes: target.size });
      if (await file.isRight()) break;
      await this.onWrongBytes(target, file);
    }
    this.tell(target, 'VERIFIED', { bytes: target.size });
  }

  private async onWrongBytes(target: FirmwarePackage, file: PackageFile): Promise<void> {
    const { downloads, installs } = await file.attempts();
    await file.discard();
    await file.note({ downloads: downloads + 1, installs });
    const error = `The file does not have the checksum ${target.checksum}.`;
    if (downloads + 1 >= MAX_DOWNLOADS) throw new Error(`${error} It was loaded ${downloads + 1} times.`);
    this.tell(target, 'FAILED', { error: `${error} It is loaded again.` });
  }

  private async download(target: FirmwarePackage, file: PackageFile, signal: AbortSignal): Promise<void> {
    for (;;) {
      const have = await file.size();
      if (have >= target.size || signal.aborted) return;
      this.tell(target, 'DOWNLOADING', { bytes: have });
      try {
        await file.append(this.talk.loadFirmware(this.kind, have, signal), this.progress(target, have));
        if ((await file.size()) > have) this.setbacks = 0;
        else await this.setback(signal);
      } catch (error) {
        if (error instanceof TooManyBytesError) await this.onWrongBytes(target, file);
        else if (isForGood(error)) throw error;
        if ((await file.size()) > have) this.setbacks = 0;
        await this.setback(signal);
      }
    }
  }

  /** Tells how far a download is, a few times on its way. */
  private progress(target: FirmwarePackage, from: number): (bytes: number) => void {
    let told = from;
    return (bytes) => {
      if (bytes - told < target.size / PROGRESS_STEPS || bytes === target.size) return;
      told = bytes;
      this.tell(target, 'DOWNLOADING', { bytes });
    };
  }

  /** Waits longer after every failure without progress; a new link ends the wait. */
  private async setback(signal: AbortSignal): Promise<void> {
    const { backoff, clock, random } = this.surroundings;
    this.setbacks += 1;
    const wait = fullJitter(this.setbacks, backoff, random);
    await new Promise<void>((resolve) => {
      const cancel = clock.after(wait, () => this.endWait?.());
      this.endWait = () => {
        cancel();
        this.endWait = undefined;
        resolve();
      };
      signal.addEventListener('abort', () => this.endWait?.(), { once: true });
    });
  }

  private async install(target: FirmwarePackage, file: PackageFile): Promise<void> {
    const attempts = await file.attempts();
    await file.note({ ...attempts, installs: attempts.installs + 1 });
    this.tell(target, 'UPDATING', { bytes: target.size });
    await this.options.install({ ...target, file: file.path });
    this.current = { title: target.title, version: target.version };
    await this.finish(target, file);
  }

  private async finish(target: FirmwarePackage, file: PackageFile): Promise<void> {
    await file.remove();
    this.tell(target, 'UPDATED', { bytes: target.size });
  }

  private runs({ title, version }: FirmwarePackage): boolean {
    return title === this.current.title && version === this.current.version;
  }

  private tell(target: FirmwarePackage, state: FirmwareState, more: { bytes?: number; error?: string }): void {
    const { title, version } = target;
    const report: FirmwareReport = { kind: this.kind, title, version, state, ...more, current: { ...this.current } };
    this.reports.add(report);
    this.surroundings.told(report);
  }
}

const isSame = (a: FirmwarePackage | undefined, b: FirmwarePackage | undefined): boolean =>
  a?.title === b?.title && a?.version === b?.version && a?.checksum === b?.checksum && a?.size === b?.size;

/** Refused credentials are the connection's to renew. */
const isForGood = (error: unknown): boolean => isFinal(error) && !isCredentialCode(CodedError.from(error)?.code ?? '');

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
