// An Envoy-like client, its HTTP/2 frames written by hand: one connection at a time, used until its GOAWAY has been read, then
// the next address. It never retries and sends no GOAWAY of its own (libraries do both), so every check that a server loses shows.

import { connect, type Socket } from "node:net";
import { ACK, END_HEADERS, END_STREAM, FRAME, frame, headerBlock, PREFACE } from "./h2-frames.ts";
import { toTarget } from "./h2-raw-peer.ts";

export interface H2Peer {
  /** Calls `path` with one message; resolves with "ok" when a message and trailers came, else with what went wrong. */
  call(path: string, message: Uint8Array): Promise<string>;
  /** Calls per address, in order. */
  readonly calls: readonly number[];
  close(): void;
}

interface Connection {
  readonly socket: Socket;
  readonly open: Map<number, { gotMessage: boolean; end(how: string): void }>;
  nextStream: number;
}

/** Begins with the first of `addresses` (`host:port` or `unix:/path`). */
export function createH2Peer(addresses: readonly string[]): H2Peer {
  const calls = addresses.map(() => 0);
  const sockets: Socket[] = [];
  let current = 0;
  let usable: Connection | undefined;

  const openConnection = (): Connection => {
    const socket = connect(toTarget(addresses[current] ?? ""));
    sockets.push(socket);
    const connection: Connection = { socket, open: new Map(), nextStream: 1 };
    socket.write(PREFACE);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (usable === connection) usable = undefined;
      for (const call of connection.open.values()) call.end("connection closed");
    });
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const length = rest.readUIntBE(0, 3);
        onFrame(connection, rest[3] ?? 0, rest[4] ?? 0, rest.readUInt32BE(5), rest.subarray(9, 9 + length));
        rest = rest.subarray(9 + length);
      }
    });
    return connection;
  };

  const onFrame = (connection: Connection, type: number, flags: number, stream: number, payload: Buffer): void => {
    const { socket, open } = connection;
    const call = open.get(stream);
    if (type === FRAME.SETTINGS && (flags & ACK) === 0) socket.write(frame(FRAME.SETTINGS, ACK, 0, Buffer.alloc(0)));
    if (type === FRAME.PING && (flags & ACK) === 0) socket.write(frame(FRAME.PING, ACK, 0, payload));
    if (type === FRAME.DATA && payload.length > 0) {
      if (call !== undefined) call.gotMessage = true;
      const window = Buffer.alloc(4);
      window.writeUInt32BE(payload.length);
      socket.write(frame(FRAME.WINDOW_UPDATE, 0, 0, window));
    }
    if (type === FRAME.HEADERS && (flags & END_STREAM) !== 0) call?.end(call.gotMessage ? "ok" : "no message");
    if (type === FRAME.RST_STREAM) call?.end(`reset ${payload.readUInt32BE(0)}`);
    if (type === FRAME.GOAWAY) {
      if (usable === connection) {
        usable = undefined;
        current = Math.min(current + 1, addresses.length - 1);
      }
      const last = payload.readUInt32BE(0);
      for (const [id, lost] of open) if (id > last) lost.end("refused by goaway");
    }
    if (usable !== connection && open.size === 0) socket.end();
  };

  return {
    call: (path, message) =>
      new Promise((resolve) => {
        usable ??= openConnection();
        const { socket, open, nextStream } = usable;
        usable.nextStream += 2;
        calls[current] = (calls[current] ?? 0) + 1;
        const end = (how: string) => {
          open.delete(nextStream);
          resolve(how);
        };
        open.set(nextStream, { gotMessage: false, end });
        const prefix = Buffer.alloc(5);
        prefix.writeUInt32BE(message.length, 1);
        socket.write(
          Buffer.concat([
            frame(FRAME.HEADERS, END_HEADERS, nextStream, headerBlock(path)),
            frame(FRAME.DATA, END_STREAM, nextStream, Buffer.concat([prefix, message])),
          ]),
        );
      }),
    calls,
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
