import { z } from 'zod';
import { text } from '#platform';

/** What a device waits with, 6-128 characters. */
const PairKey = text(128).min(6);
/** A secret of the app's making, 8-128 characters. */
const OwnerKey = text(128).min(8);

export const PairRequest = z
  .strictObject({
    pairKey: PairKey,
    ownerKey: OwnerKey,
    validSeconds: z.int().min(30).max(86_400).default(300).describe('How long the device can be claimed'),
  })
  .meta({ id: 'ProvisioningPairRequest' });
export type PairRequest = z.output<typeof PairRequest>;

/** Until when the device can be claimed, ms since the epoch. */
export const PairReply = z.object({ expiresAt: z.int() }).meta({ id: 'ProvisioningPairReply' });
export type PairReply = z.output<typeof PairReply>;

/** What a person claims a device by: its pair key, or its name and its secret, 2-257 characters. */
const ClaimKey = text(257).min(2);

export const ClaimRequest = z
  .strictObject({
    pairKey: ClaimKey.describe('As the device announced it; `<device name>/<secret>` of one that announced a secret'),
    ownerKey: OwnerKey.optional().describe('Given, it has to be the one that the device announced'),
  })
  .meta({ id: 'ProvisioningClaimRequest' });
export type ClaimRequest = z.output<typeof ClaimRequest>;
