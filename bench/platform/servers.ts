import { startSuite, type SuiteHouse } from '../../e2e/house.ts';
import { UNLIMITED } from './embedded.ts';
import { readMongodb } from './mongodb-reader.ts';
import { Platform } from './platform.ts';

/** The four services as processes, telemetry twice, on NATS, MySQL and MongoDB, behind Nginx. */
export async function startServersPlatform(): Promise<Platform<SuiteHouse>> {
  const house = await startSuite(UNLIMITED);
  return new Platform({
    name: 'servers',
    house,
    telemetry: ['telemetry-1', 'telemetry-2'],
    openStore: () => readMongodb(`${house.servers.mongodb.url}/readings`),
  });
}
