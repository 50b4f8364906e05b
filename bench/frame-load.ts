// Load with many different requests, which h2load cannot send: HTTP/2 frames by hand, several connections, a fixed number of checks in
// flight on each. A program of its own, for a core of its own: `frame-load.js PORT BODIES REQUESTS CONNECTIONS STREAMS` prints JSON.
// BODIES holds gRPC messages one after the other; they are sent in turn.

import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { ACK, END_HEADERS, END_STREAM, FRAME, frame, headerBlock, PREFACE } from "../test/support/h2-frames.ts";

/** What it prints. */
export interface FrameLoadFigures {
  readonly checksPerSecond: number;
  readonly allowed: number;
  readonly notAllowed: number;
}

const HEADERS = headerBlock("/envoy.service.auth.v3.Authorization/Check");
/** SPEC: RFC 9113 §6.9.2. */
const FIRST_WINDOW = 65_535;
const MAX_WINDOW = 2 ** 31 - 1;

function readBodies(file: string): readonly Buffer[] {
  const bytes = readFileSync(file);
  const bodies: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    bodies.push(bytes.subarray(at, end));
    at = end;
  }
  return bodies;
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Takes the next body, or says that there is none left. */
type Next = () => Buffer | undefined;

/** One connection; resolves when it has no more to send and every answer is there. */
function drive(socket: Socket, streams: number, next: Next, onAnswer: (allowed: boolean) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let window = FIRST_WINDOW;
    let stream = 1;
    let inFlight = 0;
    let waiting = next();
    let received: Buffer = Buffer.alloc(0);
    const allowed = new Map<number, boolean>();

    const send = (out: Buffer[]): void => {
      for (; waiting !== undefined && inFlight < streams && waiting.length <= window; waiting = next()) {
        out.push(frame(FRAME.HEADERS, END_HEADERS, stream, HEADERS), frame(FRAME.DATA, END_STREAM, stream, waiting));
        window -= waiting.length;
        stream += 2;
        inFlight++;
      }
      if (out.length > 0) socket.write(Buffer.concat(out));
      if (waiting === undefined && inFlight === 0) resolve();
    };

    const take = (type: number, flags: number, id: number, payload: Buffer, out: Buffer[]): void => {
      if (type === FRAME.SETTINGS && (flags & ACK) === 0) out.push(frame(FRAME.SETTINGS, ACK, 0, Buffer.alloc(0)));
      else if (type === FRAME.PING && (flags & ACK) === 0) out.push(frame(FRAME.PING, ACK, 0, payload));
      else if (type === FRAME.WINDOW_UPDATE && id === 0) window += payload.readUInt32BE(0);
      // A CheckResponse that allows begins with an empty status.
      else if (type === FRAME.DATA && payload.length > 6) allowed.set(id, payload[5] === 0x0a && payload[6] === 0);
      else if (type === FRAME.GOAWAY) reject(new Error("the server sent GOAWAY"));
      const isEnd = (type === FRAME.HEADERS || type === FRAME.DATA) && (flags & END_STREAM) !== 0;
      if (!isEnd && type !== FRAME.RST_STREAM) return;
      inFlight--;
      onAnswer(allowed.get(id) === true);
      allowed.delete(id);
    };

    socket.on("data", (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const out: Buffer[] = [];
      let at = 0;
      while (at + 9 <= received.length) {
        const end = at + 9 + received.readUIntBE(at, 3);
        if (end > received.length) break;
        const [type = 0, flags = 0] = received.subarray(at + 3, at + 5);
        take(type, flags, received.readUInt32BE(at + 5), received.subarray(at + 9, end), out);
        at = end;
      }
      received = received.subarray(at);
      send(out);
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the server closed the connection")));
    send([PREFACE, frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(MAX_WINDOW - FIRST_WINDOW))]);
  });
}

const [port = 0, file = "", requests = 0, connections = 1, streams = 1] = process.argv
  .slice(2)
  .map((word, at) => (at === 1 ? word : Number(word))) as [number, string, number, number, number];
const bodies = readBodies(file);
let sent = 0;
const next: Next = () => (sent < requests ? bodies[sent++ % bodies.length] : undefined);
const counts = { allowed: 0, notAllowed: 0 };
const sockets = Array.from({ length: connections }, () => connect(port, "127.0.0.1").setNoDelay(true));
const startMs = performance.now();
await Promise.all(
  sockets.map((socket) =>
    drive(socket, streams, next, (isAllowed) => {
      counts[isAllowed ? "allowed" : "notAllowed"]++;
    }),
  ),
);
const checksPerSecond = requests / ((performance.now() - startMs) / 1000);
for (const socket of sockets) socket.destroy();
process.stdout.write(JSON.stringify({ checksPerSecond, ...counts } satisfies FrameLoadFigures));
