// The roof over every listener: what Node's sockets give when HTTP/2 is only pretended. Frames are walked through, and each stream
// that ends gets the same answer; no HPACK, no windows, no rule of any specification. To compare with, never to serve.

import { createServer, type Server } from "node:net";
import { ACK, END_HEADERS, END_STREAM, FRAME, frame } from "../test/support/h2-frames.ts";

const NOTHING = Buffer.alloc(0);
// SPEC: RFC 7541 §6.1: `:status: 200` is entry 8 of the static table; the other fields are literals.
const RESPONSE = Buffer.from("885f106170706c69636174696f6e2f67727063", "hex");
const TRAILERS = Buffer.from("000b677270632d7374617475730130", "hex");
const WINDOW_BYTES = 2 ** 24;

/** Answers `message` (gRPC prefix included) to everything. */
export function createBareServer(message: Buffer): Server {
  const answer = Buffer.concat([
    frame(FRAME.HEADERS, END_HEADERS, 0, RESPONSE),
    frame(FRAME.DATA, 0, 0, message),
    frame(FRAME.HEADERS, END_HEADERS | END_STREAM, 0, TRAILERS),
  ]);
  const dataAt = 9 + RESPONSE.length;
  const trailersAt = dataAt + 9 + message.length;
  const window = Buffer.alloc(4);
  window.writeUInt32BE(WINDOW_BYTES);
  const give = frame(FRAME.WINDOW_UPDATE, 0, 0, window);
  return createServer({ noDelay: true }, (socket) => {
    let rest: Buffer = NOTHING;
    let skip = 24;
    let given = 0;
    socket.on("error", () => undefined);
    socket.write(Buffer.concat([frame(FRAME.SETTINGS, 0, 0, NOTHING), frame(FRAME.SETTINGS, ACK, 0, NOTHING), give]));
    socket.on("data", (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const ended: number[] = [];
      let at = skip;
      skip = 0;
      while (at + 9 <= bytes.length) {
        const end = at + 9 + bytes.readUIntBE(at, 3);
        if (end > bytes.length) break;
        if (bytes[at + 3] === FRAME.DATA && ((bytes[at + 4] ?? 0) & END_STREAM) !== 0)
          ended.push(bytes.readUInt32BE(at + 5));
        at = end;
      }
      rest = bytes.subarray(at);
      const out = Buffer.allocUnsafe(ended.length * answer.length);
      let to = 0;
      for (const stream of ended) {
        answer.copy(out, to);
        out.writeUInt32BE(stream, to + 5);
        out.writeUInt32BE(stream, to + dataAt + 5);
        out.writeUInt32BE(stream, to + trailersAt + 5);
        to += answer.length;
      }
      if (to > 0) socket.write(out);
      given += chunk.length;
      if (given < WINDOW_BYTES / 2) return;
      given -= WINDOW_BYTES;
      socket.write(give);
    });
  });
}
