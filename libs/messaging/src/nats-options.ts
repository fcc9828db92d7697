/** How the services connect to NATS: they keep trying for ever, four times a second. */
export const natsOptions = (url: string, name: string) => ({
  servers: url.split(',').map((server) => server.trim()),
  name,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 250,
  waitOnFirstConnect: true,
});
