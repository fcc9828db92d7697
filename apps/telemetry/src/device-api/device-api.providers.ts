import type { Provider } from '@nestjs/common';
import { MQTT_LIMITS } from '../link/mqtt/mqtt-limits.ts';
import { MQTT_HANDLERS, type DeviceApiHandlers } from '../link/mqtt/topics.ts';
import { SESSION_LIMITS } from './calls.ts';
import { ClaimAnnouncements } from './claim-announcements.ts';
import { DeviceApiTopics } from './device-api.handlers.ts';
import { DeviceApiErrors } from './error-shape.ts';
import { GatewayApiTopics } from './gateway-api.handlers.ts';
import { GatewayChildren } from './gateway-children.ts';
import { HttpDevices } from './http-devices.ts';
import { HttpPolls } from './http-polls.ts';
import { PackageChunkTopics } from './package-chunks.handlers.ts';
import { PackageDownloads } from './package-download.ts';
import type { SessionLimits } from './rpc-payloads.ts';
import { TelemetryUploads } from './telemetry-uploads.ts';

/** What ThingsBoard's device API is made of; `messagesPerSecond` is what one device may send. */
export const deviceApiProviders = (messagesPerSecond: number): Provider[] => [
  {
    provide: SESSION_LIMITS,
    useValue: {
      maxPayloadSize: MQTT_LIMITS.packetBytes,
      maxInflightMessages: MQTT_LIMITS.receiveMaximum,
      messagesPerSecond,
    } satisfies SessionLimits,
  },
  TelemetryUploads,
  ClaimAnnouncements,
  DeviceApiErrors,
  DeviceApiTopics,
  GatewayChildren,
  GatewayApiTopics,
  PackageChunkTopics,
  HttpDevices,
  HttpPolls,
  PackageDownloads,
  {
    provide: MQTT_HANDLERS,
    inject: [DeviceApiTopics, GatewayApiTopics, PackageChunkTopics],
    useFactory: (
      device: DeviceApiTopics,
      gateway: GatewayApiTopics,
      chunks: PackageChunkTopics,
    ): DeviceApiHandlers => ({
      ...device.handlers,
      ...gateway.handlers,
      ...chunks.handlers,
    }),
  },
];
