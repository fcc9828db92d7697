import { createServer, type AddressInfo } from 'node:net';
import { generate, parser, type Packet } from 'mqtt-packet';

const VERSION = { protocolVersion: 5 };

/** What a session answers that has nothing to do: the ceiling of the packet codec and the event loop. */
function answerTo(packet: Packet): Buffer | undefined {
  if (packet.cmd === 'publish') return generate({ cmd: 'puback', messageId: packet.messageId ?? 0 }, VERSION);
  if (packet.cmd === 'connect') return generate({ cmd: 'connack', sessionPresent: false, reasonCode: 0 }, VERSION);
  if (packet.cmd === 'pingreq') return generate({ cmd: 'pingresp' }, VERSION);
  return undefined;
}

const server = createServer((socket) => {
  const packets = parser(VERSION);
  packets.on('packet', (packet: Packet) => {
    const answer = answerTo(packet);
    if (answer) socket.write(answer);
  });
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    socket.cork();
    packets.parse(chunk);
    socket.uncork();
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on mqtt://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
