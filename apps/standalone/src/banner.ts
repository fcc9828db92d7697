/** What the embedded mode tells the person who started it. */
export interface Welcome {
  url: string;
  /** Where MQTT is, or why it is not. */
  mqtt: string;
  dataFolder: string;
  /** Only at the first start. */
  admin: { email: string; password: string } | undefined;
  demoDevices: number;
  debugProvisioning: boolean;
}

const FIRST_MAC = 'CE:13:14:15';

/** The text for the terminal. */
export function banner({ url, mqtt, dataFolder, admin, demoDevices, debugProvisioning }: Welcome): string {
  const lines = [
    '',
    `  Fieldline is running on ${url}`,
    '',
    `  API page       ${url}/docs`,
    `  MQTT           ${mqtt}`,
    `  Data           ${dataFolder}`,
  ];
  if (admin) lines.push(`  Administrator  ${admin.email}   ${admin.password}   (shown once: keep it)`);
  if (demoDevices > 0) lines.push(`  Demo           ${String(demoDevices)} simulated devices (off with --no-demo)`);
  lines.push(
    '',
    '  Send a first reading:',
    '',
    ...firstReading(url, debugProvisioning).map((line) => `    ${line}`),
    '',
  );
  return `${lines.join('\n')}\n`;
}

function firstReading(url: string, debugProvisioning: boolean): string[] {
  const token = debugProvisioning
    ? [`TOKEN=$(curl -s "${url}/debug/provisioning?mac-address=${FIRST_MAC}" | sed 's/.*:"\\(.*\\)".*/\\1/')`]
    : ['TOKEN=...   # an access token: POST /api/devices, then POST /api/devices/<id>/credentials'];
  return [
    ...token,
    `curl -s ${url}/telemetry -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\`,
    `  -d '{"sensorType": "temperature", "value": 21.5, "unit": "°C", "location": "hall"}'`,
  ];
}
