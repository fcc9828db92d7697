import type { AttributesPatch } from '../attributes/attribute-write.ts';
import type { PackageEntity, PackageKind } from './firmware.entity.ts';

const PREFIX = { firmware: 'fw', software: 'sw' } as const satisfies Record<PackageKind, string>;

/** The shared attributes by which a device learns which package it is to have, as ThingsBoard's device API names them. */
export function packageAttributes(of: PackageEntity): AttributesPatch {
  const prefix = PREFIX[of.kind];
  return {
    shared: {
      [`${prefix}_title`]: of.title,
      [`${prefix}_version`]: of.version,
      [`${prefix}_size`]: of.size,
      [`${prefix}_checksum`]: of.checksum,
      [`${prefix}_checksum_algorithm`]: 'SHA256',
    },
  };
}

/** A device is to have no package of that kind. */
export function noFirmwareAttributes(kind: PackageKind): AttributesPatch {
  const names = ['title', 'version', 'size', 'checksum', 'checksum_algorithm'];
  return { shared: Object.fromEntries(names.map((name) => [`${PREFIX[kind]}_${name}`, null])) };
}

/** The kinds of package that a device learns of by these shared attributes. */
export const kindsIn = (changed: Readonly<Record<string, unknown>>): PackageKind[] =>
  (['firmware', 'software'] as const).filter((kind) => Object.hasOwn(changed, `${PREFIX[kind]}_version`));
