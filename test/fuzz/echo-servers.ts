// The same answerer on two HTTP/2 servers, ours and Node's (nghttp2): it answers 200 and gives back the lines and the body that it got.

import http2 from "node:http2";
import { duplexPair } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Http2Connection } from "../../src/server/http2/connection.ts";
import { createHttp2Counts } from "../../src/server/http2/counts.ts";
import { encodeHeaderBlock } from "../../src/server/http2/header-block.ts";
import { DEFAULT_LIMITS, type Http2Limits } from "../../src/server/http2/limits.ts";
import type { OpenStream } from "../../src/server/http2/stream.ts";
import { createUnfinishedBytes } from "../../src/server/http2/unfinished-bytes.ts";
import { createUnverifiedPeer } from "../../src/server/peer.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { Answers } from "./answers.ts";

/** A server that is given what a client sends, and what its client got. */
export interface EchoServer {
  readonly answers: Answers;
  send(bytes: Buffer): Promise<void>;
  /** The client has sent all, and hears what is still to come. */
  finish(): Promise<void>;
}

const OK = encodeHeaderBlock([{ name: ":status", value: "200" }]);

const LIMITS: Http2Limits = {
  ...DEFAULT_LIMITS,
  maxControlFramesPerSecond: 1e6,
  maxResetsPerSecond: 1e6,
  maxHeaderListBytes: 65_535,
  maxConcurrentStreams: 100,
};

const echo = (lines: readonly (readonly [string, string])[], body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(JSON.stringify(lines)), body]);

const openEcho: OpenStream = (stream, list, endStream) => {
  const parts: Buffer[] = [];
  // To HEAD Node sends no body whatever it is given.
  const isHead = list.fields.some(({ name, value }) => name === ":method" && value === "HEAD");
  const onEnd = (): void => {
    stream.sendHeaders(OK, isHead);
    stream.sendData(
      echo(
        list.fields.map(({ name, value }) => [name, value] as const),
        Buffer.concat(parts),
      ),
      true,
    );
  };
  if (endStream) {
    onEnd();
    return undefined;
  }
  return { onData: (bytes) => parts.push(bytes), onEnd, onReset: () => undefined };
};

/** Ours. `onFault` throws at the next turn. */
export function createOurEcho(): EchoServer {
  const answers = new Answers();
  const counts = createHttp2Counts();
  const faults: unknown[] = [];
  const connection = new Http2Connection({
    output: {
      write: (bytes) => answers.read(bytes),
      end: () => {
        answers.hasEnded = true;
      },
      destroy: () => {
        answers.hasEnded = true;
      },
      unsentBytes: 0,
    },
    peer: createUnverifiedPeer("192.0.2.1"),
    limits: LIMITS,
    open: openEcho,
    clock: createManualClock(),
    unfinished: createUnfinishedBytes(LIMITS.maxUnfinishedBytes, counts),
    counts,
    onEnd: () => undefined,
    onFault: (error) => faults.push(error),
  });
  return {
    answers,
    send: (bytes) => {
      connection.receive(bytes);
      return Promise.resolve();
    },
    finish: async () => {
      await nextTurn();
      const hadEnded = answers.hasEnded;
      connection.closed();
      answers.hasEnded = hadEnded;
      if (faults.length > 0) throw new Error("a fault", { cause: faults[0] });
    },
  };
}

/** Turns without a frame after which nothing more comes. */
const QUIET_TURNS = 12;

/** Node's. */
export function createNodeEcho(): EchoServer {
  const answers = new Answers();
  const server = http2.createServer({
    settings: { maxConcurrentStreams: 100 },
    maxSessionInvalidFrames: 1e6,
    maxSessionRejectedStreams: 1e6,
  });
  server.on("sessionError", () => undefined);
  server.on("stream", (stream: http2.ServerHttp2Stream, _headers: unknown, _flags: number, lines: string[]) => {
    const parts: Buffer[] = [];
    stream.on("error", () => undefined);
    stream.on("data", (bytes: Buffer) => parts.push(bytes));
    stream.on("end", () => {
      if (stream.destroyed || stream.headersSent) return;
      const pairs = Array.from(
        { length: lines.length / 2 },
        (_, at) => [lines[2 * at], lines[2 * at + 1]] as [string, string],
      );
      try {
        stream.respond({ ":status": 200 }, { sendDate: false } as http2.ServerStreamResponseOptions);
      } catch {
        // It was reset in this turn, which `destroyed` does not tell yet.
        return;
      }
      stream.end(echo(pairs, Buffer.concat(parts)));
    });
  });
  const [near, far] = duplexPair();
  near.on("data", (bytes: Buffer) => answers.read(bytes));
  near.on("error", () => undefined);
  far.on("error", () => undefined);
  const hasEnded = (): void => {
    answers.hasEnded = true;
  };
  near.on("end", hasEnded);
  near.on("close", hasEnded);
  server.emit("connection", far);
  const settle = async (): Promise<void> => {
    for (let quiet = 0, seen = answers.frames; quiet < QUIET_TURNS; quiet++) {
      await nextTurn();
      if (answers.frames !== seen) quiet = 0;
      seen = answers.frames;
    }
  };
  return {
    answers,
    send: async (bytes) => {
      if (near.writable) near.write(bytes);
      await nextTurn();
    },
    finish: async () => {
      await settle();
      const hadEnded = answers.hasEnded;
      near.destroy();
      far.destroy();
      await nextTurn();
      answers.hasEnded = hadEnded;
    },
  };
}
