import { Controller } from '@nestjs/common';
import { CodedError, type ImportOutcome, type ImportRow, type RpcReply, type RpcRequest } from '#contracts';
import { Rpc } from '#messaging';

/** What the registry does with imports, as far as it matters here: a batch that is done again has the same outcomes. */
export class FakeRegistry {
  /** Devices by name, and what made them. */
  readonly devices = new Map<string, { jobId: string; line: number }>();
  /** Rows of every batch that came, in the order in which they came. */
  readonly batches: { jobId: string; lines: number[] }[] = [];
  /** Called before a batch is done, and after. */
  before: () => Promise<void> | void = () => undefined;
  after: () => Promise<void> | void = () => undefined;

  async import({ jobId, rows }: RpcRequest<'registry.devices.import'>): Promise<RpcReply<'registry.devices.import'>> {
    await this.before();
    this.batches.push({ jobId, lines: rows.map(({ line }) => line) });
    const outcomes = rows.map((row) => this.outcomeOf(jobId, row));
    await this.after();
    return { outcomes };
  }

  private outcomeOf(jobId: string, { line, name = '' }: ImportRow): ImportOutcome {
    if (name.startsWith('bad')) {
      return { line, outcome: 'failed', code: 'DEVICE_EXISTS', field: 'serial', message: `It is "${name}", not that.` };
    }
    const made = this.devices.get(name);
    if (!made) this.devices.set(name, { jobId, line });
    const isOwn = !made || (made.jobId === jobId && made.line === line);
    return { line, outcome: isOwn ? 'created' : 'unchanged' };
  }
}

export const away = (): never => {
  throw new CodedError('UNAVAILABLE', 'The registry is away.', { retryAfterMs: 100 });
};

/** The registry's side of the messages. */
export function controllerOf(registry: FakeRegistry): new () => object {
  @Controller()
  class RegistryOfTests {
    @Rpc('registry.devices.import')
    import(request: RpcRequest<'registry.devices.import'>): Promise<RpcReply<'registry.devices.import'>> {
      return registry.import(request);
    }
  }
  return RegistryOfTests;
}
