import { Inject, Injectable } from '@nestjs/common';
import { jobSubject, JobView, type Principal } from '#contracts';
import { BUS, RpcClient, type Bus, type Unsubscribe } from '#messaging';

/** Everybody who watches imports on this replica. */
@Injectable()
export class JobFollowers {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(RpcClient) private readonly rpc: RpcClient,
  ) {}

  /**
   * How far an import is; from now on `deliver` is told how it goes on. Throws `NOT_FOUND` for one that is not for this caller to
   * see: then nothing of it is delivered.
   */
  async follow(
    principal: Principal,
    id: string,
    deliver: (job: JobView) => void,
  ): Promise<{ job: JobView; stop: Unsubscribe }> {
    let meanwhile: JobView | undefined;
    let hear = (job: JobView): void => {
      meanwhile = job;
    };
    const stop = this.bus.subscribe(jobSubject(id), (text) => {
      hear(JobView.parse(JSON.parse(text)));
    });
    try {
      const job = await this.rpc.call('provisioning.jobs.get', { principal, id });
      hear = deliver;
      return { job: meanwhile ?? job, stop };
    } catch (error) {
      stop();
      throw error;
    }
  }
}
