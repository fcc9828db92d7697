/** Name of telemetry's data source: what the platform keeps about devices' links. Readings are kept elsewhere, see reading-store/. */
export const TELEMETRY = 'telemetry';
