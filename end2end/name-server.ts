// A name server for the checks of who sent a message: the tests ask no other.
import { createSocket } from 'node:dgram';

/** What it knows; it says of any other name that there is none. */
const TEXTS: Record<string, string> = {
  'customer.example': 'v=spf1 ip4:127.0.0.1 -all',
  '_dmarc.customer.example': 'v=DMARC1; p=reject',
};

/** Where it listens, and how it ends. */
export function serveNames(): Promise<{ port: number; close: () => void }> {
  const socket = createSocket('udp4');
  socket.on('message', (asked, peer) => socket.send(answer(asked), peer.port, peer.address));
  return new Promise((done) =>
    socket.bind(0, '127.0.0.1', () => done({ port: socket.address().port, close: () => socket.close() })),
  );
}

/** RFC 1035, section 4.1. */
function answer(asked: Buffer): Buffer {
  let at = 12;
  const labels: string[] = [];
  while (asked[at]) {
    labels.push(asked.toString('latin1', at + 1, at + 1 + asked[at]));
    at += 1 + asked[at];
  }
  const end = at + 5; // the name's end, type and class
  const text = TEXTS[labels.join('.').toLowerCase()];
  const isText = asked.readUInt16BE(at + 1) === 16;
  const head = Buffer.from(asked.subarray(0, end));
  head[2] |= 0x80; // an answer
  head[3] = text === undefined ? 3 : 0; // no such name
  head.writeUInt16BE(text !== undefined && isText ? 1 : 0, 6);
  head.writeUInt32BE(0, 8); // nothing beside it
  if (text === undefined || !isText) return head;
  const record = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, text.length + 1, text.length]);
  return Buffer.concat([head, record, Buffer.from(text)]);
}
