/** A service that the gateway routes to. */
export type GatewayService = 'auth' | 'device-registry' | 'provisioning' | 'telemetry' | 'mqtt' | 'mqtt-tls';

export interface GatewayOptions {
  /** Port, or address and port. */
  listen: string;
  /** Where MQTT comes in, likewise; default: nowhere. */
  mqttListen?: string;
  /** Where MQTT over TLS comes in, if MQTT does. */
  mqttTlsListen?: string;
  /** Where each service's replicas listen, as `address:port` or `name:port resolve`; one that is missing is away. */
  upstreams: Partial<Record<GatewayService, string[]>>;
  /** An existing folder, absolute, for nginx's files. */
  tempDir: string;
  /** The name server that `resolve` asks; default 127.0.0.1, which nothing asks while every address is a number. */
  resolver?: string;
  /** Default `<tempDir>/access.log`. */
  accessLog?: string;
  /** How long a client may be silent within a request, in nginx's notation; default 10s. */
  clientTimeout?: string;
  /** Requests at the same time from one address; default 10,000. */
  connectionsPerAddress?: number;
  /** Whose X-Forwarded-For is believed, address or CIDR; default nobody's. */
  trustedProxy?: string;
  /** Worker processes; default 2. */
  workers?: number;
}

/** A whole nginx.conf with the gateway's own rules (templates/), for an nginx outside of Docker. */
export function renderNginx(options: GatewayOptions): string;
