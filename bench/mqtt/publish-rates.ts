import { startMosquitto } from '../baselines/mosquitto.ts';
import { startBaseline, type Baseline } from '../baselines/start-baseline.ts';
import { LoadRunner, type LoadShape } from '../measure/load-runner.ts';
import { mean } from '../measure/rates.ts';
import { batches, manySeries, singles } from '../measure/shapes.ts';
import type { Platform } from '../platform/platform.ts';
import { atLeast, type Figure } from '../report/figure.ts';

/** Share of a bare session's rate that single readings, each of them durable before its PUBACK, are meant to reach. */
const SINGLES_AIM = 0.4;

export interface MqttRateOptions {
  platform: Platform;
  seconds: number;
  rounds: number;
  now: number;
}

/** Readings a second that are acknowledged: by the platform durably, by a session that does nothing, and by mosquitto. */
export async function publishRates(options: MqttRateOptions): Promise<Figure[]> {
  const [bare, mosquitto] = [await startBaseline('bare-mqtt'), await startMosquitto()];
  try {
    const contest = new Contest(options, bare, mosquitto);
    const mode = options.platform.name;
    const figure = (what: string, value: number): Figure => ({ mode, what, value, unit: '/s' });
    const single = await contest.run(singles(options.seconds));
    const fifty = await contest.run(batches(options.seconds));
    const named = 'MQTT QoS 1, one reading in a message, acknowledged';
    const many = 'MQTT QoS 1, fifty readings in a message, acknowledged';
    return [
      atLeast(figure(named, single.platform), SINGLES_AIM, { what: 'bare session', value: single.bare }),
      ...beside(figure(named, single.platform), single.mosquitto),
      { ...figure(many, fifty.platform), beside: { what: 'bare session', value: fifty.bare } },
      ...beside(figure(many, fifty.platform), fifty.mosquitto),
    ];
  } finally {
    await bare.process.stop();
    await mosquitto?.process.stop();
  }
}

const beside = (figure: Figure, value: number | undefined): Figure[] =>
  value === undefined ? [] : [{ ...figure, beside: { what: 'mosquitto', value } }];

interface Rates {
  platform: number;
  bare: number;
  mosquitto: number | undefined;
}

/** The three, in turns, so that all have the same machine. */
class Contest {
  private readonly loads: Record<'platform' | 'bare' | 'mosquitto', LoadRunner | undefined> = {
    platform: undefined,
    bare: undefined,
    mosquitto: undefined,
  };

  constructor(
    private readonly options: MqttRateOptions,
    private readonly bare: Baseline,
    private readonly mosquitto: Baseline | undefined,
  ) {}

  async run(shape: LoadShape): Promise<Rates> {
    const { platform, rounds } = this.options;
    const rates: Record<'platform' | 'bare' | 'mosquitto', number[]> = { platform: [], bare: [], mosquitto: [] };
    for (let round = 0; round < rounds; round += 1) {
      rates.bare.push(await this.rate('bare', this.bare.url, shape));
      if (this.mosquitto) rates.mosquitto.push(await this.rate('mosquitto', this.mosquitto.url, shape));
      rates.platform.push(await this.rate('platform', platform.directMqttUrl, shape));
      await platform.drained();
      await this.loads.platform?.check(platform);
    }
    return {
      platform: mean(rates.platform),
      bare: mean(rates.bare),
      mosquitto: this.mosquitto ? mean(rates.mosquitto) : undefined,
    };
  }

  private async rate(who: keyof Contest['loads'], url: string, shape: LoadShape): Promise<number> {
    const { platform, now } = this.options;
    const plan = { ...manySeries(now), name: `mqtt-${who}` };
    const load = (this.loads[who] ??= new LoadRunner(plan, await platform.tokens(plan.devices)));
    const { window } = await load.run(url, shape);
    return window.readings / window.seconds;
  }
}
