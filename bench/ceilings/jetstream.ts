import { jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect, createInbox } from '@nats-io/transport-node';

/** A group of about 80 readings. */
const GROUP = new Uint8Array(8_192).fill(120);
const READINGS_IN_GROUP = 80;
const SINGLE = new Uint8Array(100).fill(120);

/** Acknowledged publishes a second, in readings. */
export interface JetStreamRates {
  /** One reading a message, 64 under way. */
  singles: number;
  /** Groups of 80 readings, 4 under way. */
  groups: number;
}

/** What JetStream on files with `sync_interval: always` acknowledges, through one inbox for all acknowledgements. */
export async function jetstreamPublishes(url: string, { seconds }: { seconds: number }): Promise<JetStreamRates> {
  const connection = await connect({ servers: url });
  const streams = (await jetstreamManager(connection)).streams;
  await streams.add({ name: 'RAW', subjects: ['raw'], storage: StorageType.File });
  const publish = (body: Uint8Array, inFlight: number) =>
    new Promise<number>((resolve) => {
      const inbox = createInbox();
      const start = performance.now();
      let acknowledged = 0;
      const subscription = connection.subscribe(inbox, {
        callback: () => {
          acknowledged += 1;
          const elapsedMs = performance.now() - start;
          if (elapsedMs < seconds * 1_000) connection.publish('raw', body, { reply: inbox });
          else if (!subscription.isClosed()) {
            subscription.unsubscribe();
            resolve((acknowledged / elapsedMs) * 1_000);
          }
        },
      });
      for (let i = 0; i < inFlight; i += 1) connection.publish('raw', body, { reply: inbox });
    });
  try {
    return { singles: await publish(SINGLE, 64), groups: (await publish(GROUP, 4)) * READINGS_IN_GROUP };
  } finally {
    await streams.delete('RAW');
    await connection.close();
  }
}
