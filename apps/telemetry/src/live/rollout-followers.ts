import { Inject, Injectable } from '@nestjs/common';
import { CodedError, rolloutSubject, RolloutView, type Principal } from '#contracts';
import { BUS, type Bus, type Unsubscribe } from '#messaging';
import { RolloutStore } from '../firmware/rollout-store.ts';
import { rolloutView } from '../firmware/rollout-view.ts';

/** Everybody who watches rollouts on this replica. */
@Injectable()
export class RolloutFollowers {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(RolloutStore) private readonly store: RolloutStore,
  ) {}

  /**
   * How far a rollout is; from now on `deliver` is told how it goes on. Throws `FORBIDDEN` for whoever is no administrator or operator,
   * `NOT_FOUND` for one that is not theirs to see: then nothing of it is delivered.
   */
  async follow(
    principal: Principal,
    id: string,
    deliver: (rollout: RolloutView) => void,
  ): Promise<{ rollout: RolloutView; stop: Unsubscribe }> {
    let meanwhile: RolloutView | undefined;
    let hear = (rollout: RolloutView): void => {
      meanwhile = rollout;
    };
    const stop = this.bus.subscribe(rolloutSubject(id), (text) => {
      hear(RolloutView.parse(JSON.parse(text)));
    });
    try {
      const rollout = await this.see(principal, id);
      hear = deliver;
      return { rollout: meanwhile ?? rollout, stop };
    } catch (error) {
      stop();
      throw error;
    }
  }

  private async see(principal: Principal, id: string): Promise<RolloutView> {
    if (principal.kind !== 'user' || principal.role === 'user') {
      throw new CodedError('FORBIDDEN', 'Rollouts are for administrators and operators.');
    }
    const rollout = await this.store.find(id);
    const isTheirs = principal.role === 'admin' || (rollout !== null && rollout.customerId === principal.customerId);
    if (!rollout || !isTheirs) {
      throw new CodedError('NOT_FOUND', `There is no rollout ${id} among those you may see.`);
    }
    return rolloutView(rollout, await this.store.counts(rollout));
  }
}
