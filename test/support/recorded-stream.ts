// A stream of the line-rate listener without a connection: the gRPC layer's side is driven by the test, and what it sends is kept.

import assert from "node:assert/strict";
import type { ErrorCode } from "../../src/server/http2/error-code.ts";
import type { HeaderList } from "../../src/server/http2/header-list.ts";
import { createHpackDecoder } from "../../src/server/http2/hpack-decoder.ts";
import type { Http2Stream } from "../../src/server/http2/stream.ts";
import { createUnverifiedPeer, type Peer } from "../../src/server/peer.ts";

/** How a call was answered. */
export interface RecordedAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Of the answer with a message. */
  readonly trailers: Readonly<Record<string, string>> | undefined;
}

/** An open stream that records. */
export interface RecordedStream extends Http2Stream {
  isOpen: boolean;
  /** Answers that were begun: never more than one. */
  readonly answers: number;
  /** Bytes that were granted beyond the first window. */
  readonly granted: number;
  /** What was sent, once the answer is complete; throws before that. */
  answer(): RecordedAnswer;
  /** `answer()` as a gRPC client reads it. */
  outcome(): { readonly bytes: Buffer } | { readonly code: number; readonly message: string };
  /** Resolves when the answer is complete. */
  answered(): Promise<void>;
}

/** A header list of these lines. */
export function headerList(
  lines: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
): HeaderList {
  const pairs = Array.isArray(lines) ? (lines as readonly (readonly [string, string])[]) : Object.entries(lines);
  const fields = pairs.map(([name, value]) => ({ name, value }));
  return { fields, bytes: fields.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0) };
}

/** What a block of ours says, its lines in no order. */
export function decodeBlock(block: Uint8Array): Readonly<Record<string, string>> {
  const bytes = Buffer.from(block);
  const list = createHpackDecoder({ maxTableBytes: 0, maxListBytes: 65_536 }).decode(bytes, 0, bytes.length);
  assert.ok(typeof list !== "string", `${list}`);
  const lines: Record<string, string> = {};
  for (const { name, value } of list.fields) {
    assert.equal(name in lines, false, `${name} twice`);
    lines[name] = value;
  }
  return lines;
}

/** A stream whose request has just come from `peer`. */
export function createRecordedStream(peer: Peer = createUnverifiedPeer("192.0.2.1"), id = 1): RecordedStream {
  let headers: Readonly<Record<string, string>> | undefined;
  let trailers: Readonly<Record<string, string>> | undefined;
  const body: Buffer[] = [];
  let answers = 0;
  let granted = 0;
  let isComplete = false;
  const { promise, resolve } = withResolvers();
  const complete = (): void => {
    isComplete = true;
    stream.isOpen = false;
    resolve();
  };
  const stream: RecordedStream = {
    id,
    peer,
    isOpen: true,
    get answers() {
      return answers;
    },
    get granted() {
      return granted;
    },
    reply: (block, message, trailerBlock) => {
      answers++;
      if (!stream.isOpen) return;
      headers = decodeBlock(block);
      body.push(Buffer.from(message));
      trailers = decodeBlock(trailerBlock);
      complete();
    },
    sendHeaders: (block, endStream) => {
      answers++;
      if (!stream.isOpen) return;
      headers = decodeBlock(block);
      if (endStream) complete();
    },
    sendData: (bytes, endStream) => {
      assert.ok(headers !== undefined, "DATA before HEADERS");
      body.push(Buffer.from(bytes));
      if (endStream) complete();
      return true;
    },
    reset: (code: ErrorCode) => {
      assert.fail(`reset ${code}`);
    },
    grant: (bytes) => {
      granted += bytes;
    },
    answer: () => {
      assert.ok(isComplete && headers !== undefined, "no answer yet");
      return { headers, body: Buffer.concat(body), trailers };
    },
    outcome: () => {
      const answer = stream.answer();
      assert.equal(answer.headers[":status"], "200");
      assert.equal(answer.headers["content-type"], "application/grpc");
      if (answer.trailers !== undefined) {
        assert.deepEqual(answer.trailers, { "grpc-status": "0" });
        return { bytes: answer.body };
      }
      assert.equal(answer.body.length, 0);
      const message = decodeURIComponent(answer.headers["grpc-message"] ?? "");
      return { code: Number(answer.headers["grpc-status"]), message };
    },
    answered: () => promise,
  };
  return stream;
}

function withResolvers(): { promise: Promise<void>; resolve(): void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
