import { arch, cpus, hostname, platform, release, totalmem } from 'node:os';

/** What a device tells of the machine that it is; memory in bytes. */
export function describeSystem(): Record<string, unknown> {
  return {
    hostname: hostname(),
    platform: platform(),
    release: release(),
    arch: arch(),
    cpus: cpus().length,
    memory: totalmem(),
    node: process.version,
  };
}
