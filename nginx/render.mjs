import { readFileSync } from 'node:fs';

const HTTP = new URL('templates/default.conf.template', import.meta.url);
const STREAM = new URL('templates/mqtt.stream.template', import.meta.url);

/** The services of the routing table and of MQTT, and the template's variable that takes each one's servers. */
const VARIABLE_OF = {
  auth: 'GATEWAY_AUTH',
  'device-registry': 'GATEWAY_DEVICE_REGISTRY',
  provisioning: 'GATEWAY_PROVISIONING',
  telemetry: 'GATEWAY_TELEMETRY',
  mqtt: 'GATEWAY_MQTT',
  'mqtt-tls': 'GATEWAY_MQTT_TLS',
};

/**
 * A whole nginx.conf with the gateway's own rules, for an nginx outside of Docker.
 * @param {import('./render.d.mts').GatewayOptions} options
 * @returns {string}
 */
export function renderNginx(options) {
  const { tempDir } = options;
  return `${startedByRoot() ? 'user root;\n' : ''}worker_processes ${options.workers ?? 2};
worker_shutdown_timeout 1s;
pid ${tempDir}/nginx.pid;
error_log stderr notice;
events {
  worker_connections 16384;
}
http {
  client_body_temp_path ${tempDir}/client_body;
  proxy_temp_path ${tempDir}/proxy;
  fastcgi_temp_path ${tempDir}/fastcgi;
  uwsgi_temp_path ${tempDir}/uwsgi;
  scgi_temp_path ${tempDir}/scgi;
${fill(readFileSync(HTTP, 'utf8'), variablesOf(options))}
}
${options.mqttListen === undefined ? '' : streamOf(options)}`;
}

const streamOf = (options) => `stream {\n${fill(readFileSync(STREAM, 'utf8'), variablesOf(options))}\n}\n`;

/** nginx would give up root for a user that may not enter the temporary folder. */
const startedByRoot = () => process.getuid?.() === 0;

function variablesOf({
  listen,
  upstreams,
  tempDir,
  resolver = '127.0.0.1',
  accessLog = `${tempDir}/access.log`,
  clientTimeout = '10s',
  connectionsPerAddress = 10_000,
  trustedProxy = 'unix:',
  mqttListen = '',
  mqttTlsListen = `unix:${tempDir}/mqtt-tls.sock`,
}) {
  const servers = Object.entries(VARIABLE_OF).map(([service, name]) => [
    name,
    serversOf(upstreams[service], service.startsWith('mqtt') ? ' fail_timeout=1s' : ''),
  ]);
  return {
    ...Object.fromEntries(servers),
    GATEWAY_LISTEN: listen,
    GATEWAY_MQTT_LISTEN: mqttListen,
    GATEWAY_MQTT_TLS_LISTEN: mqttTlsListen,
    GATEWAY_RESOLVER: resolver,
    GATEWAY_ACCESS_LOG: accessLog,
    GATEWAY_ERROR_LOG: 'stderr',
    GATEWAY_CLIENT_TIMEOUT: clientTimeout,
    GATEWAY_CONNECTIONS_PER_ADDRESS: String(connectionsPerAddress),
    GATEWAY_TRUSTED_PROXY: trustedProxy,
  };
}

/** A service that is not named is one that is away. */
const serversOf = (addresses = ['127.0.0.1:9 down'], rules = '') =>
  addresses.map((address) => `server ${address}${rules};`).join(' ');

/** As `envsubst` does with `${NAME}`; a variable that nobody gave is a mistake. */
const fill = (template, variables) =>
  template.replace(/\$\{(\w+)\}/g, (_, name) => {
    if (!(name in variables)) throw new Error(`the gateway's template wants ${name}, which the renderer does not know`);
    return variables[name];
  });
