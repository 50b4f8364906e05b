// Where our server and nghttp2, as Node drives it, may differ, and why both are right or we are the stricter one.
// Whatever is not written here must be the same.

import { FLAG, FRAME_TYPE } from "../../src/server/http2/frame.ts";
import { createHpackDecoder } from "../../src/server/http2/hpack-decoder.ts";
import type { Answer, Answers } from "./answers.ts";
import { FrameSplitter } from "./client-frame.ts";

/** What of the client's octets explains a difference. */
export interface SentFacts {
  /** The last frame or the last header block is not whole. */
  readonly isCut: boolean;
  /** SETTINGS and PING: beyond those of a server that sends one SETTINGS and no PING. */
  readonly needlessAcks: number;
  readonly mostSettings: number;
  readonly namesSettingTwice: boolean;
  readonly hasExcessPadding: boolean;
  readonly hasGoaway: boolean;
  /** A stream's WINDOW_UPDATE by nothing, or by more than a window holds. */
  readonly hasOddWindow: boolean;
  readonly hasMisshapenPriority: boolean;
  /** A request whose identifier is below one that was used before. */
  readonly goesBack: boolean;
  /** Streams on which something came after END_STREAM. */
  readonly endedTwice: ReadonlySet<number>;
  readonly reset: ReadonlySet<number>;
  /** Streams with a request. */
  readonly requested: ReadonlySet<number>;
  /** Streams whose request has no :authority, or one that is none (RFC 3986 §3.2). */
  readonly withoutAuthority: ReadonlySet<number>;
}

/** Together with what a window holds already, it may be too much. */
const LARGE_UPDATE = 0x7000_0000;
const AUTHORITY = /^[A-Za-z0-9._~!$&'()*+,;=:@%[\]-]+$/;

/** Reads what was sent, behind `prefaceBytes`. */
export function toSentFacts(batches: readonly Buffer[], prefaceBytes: number): SentFacts {
  const splitter = new FrameSplitter(prefaceBytes);
  const blocks = new SentBlocks();
  const ended = new Set<number>();
  const endedTwice = new Set<number>();
  const reset = new Set<number>();
  let needlessAcks = -1;
  let mostSettings = 0;
  let namesSettingTwice = false;
  let hasExcessPadding = false;
  let hasGoaway = false;
  let hasOddWindow = false;
  let hasMisshapenPriority = false;
  for (const bytes of batches) {
    splitter.split(bytes, (type, flags, id, payload) => {
      blocks.take(type, flags, id, payload);
      if (type === FRAME_TYPE.RST_STREAM) reset.add(id);
      if (type === FRAME_TYPE.GOAWAY) hasGoaway = true;
      if (type === FRAME_TYPE.WINDOW_UPDATE && id > 0 && payload.length === 4) {
        const bytes = payload.readUInt32BE(0) & 0x7fff_ffff;
        hasOddWindow ||= bytes === 0 || bytes > LARGE_UPDATE;
      }
      if (type === FRAME_TYPE.PRIORITY && payload.length !== 5) hasMisshapenPriority = true;
      if ((type === FRAME_TYPE.SETTINGS || type === FRAME_TYPE.PING) && (flags & FLAG.ACK) !== 0) needlessAcks++;
      if (type === FRAME_TYPE.SETTINGS) {
        const ids = settingIds(payload);
        mostSettings = Math.max(mostSettings, ids.length);
        namesSettingTwice ||= new Set(ids).size < ids.length;
      }
      if (type !== FRAME_TYPE.DATA && type !== FRAME_TYPE.HEADERS) return;
      if ((flags & FLAG.PADDED) !== 0 && (payload[0] ?? 0) >= payload.length) hasExcessPadding = true;
      if (ended.has(id)) endedTwice.add(id);
      if ((flags & FLAG.END_STREAM) !== 0) ended.add(id);
    });
  }
  const { goesBack, requested, withoutAuthority } = blocks;
  const isCut = splitter.restBytes > 0 || blocks.isOpen;
  const streams = { endedTwice, reset, requested, withoutAuthority };
  return {
    isCut,
    needlessAcks,
    mostSettings,
    namesSettingTwice,
    hasExcessPadding,
    hasGoaway,
    hasOddWindow,
    hasMisshapenPriority,
    goesBack,
    ...streams,
  };
}

const settingIds = (payload: Buffer): number[] =>
  Array.from({ length: Math.floor(payload.length / 6) }, (_, at) => payload.readUInt16BE(6 * at));

/** The header blocks among what was sent. */
class SentBlocks {
  readonly withoutAuthority = new Set<number>();
  goesBack = false;
  isOpen = false;
  readonly #decoder = createHpackDecoder({ maxTableBytes: 4096, maxListBytes: 1 << 20 });
  readonly requested = new Set<number>();
  #highestId = 0;
  #parts: Buffer[] = [];

  take(type: number, flags: number, id: number, payload: Buffer): void {
    if (type !== FRAME_TYPE.HEADERS && !(type === FRAME_TYPE.CONTINUATION && this.isOpen)) return;
    this.isOpen = (flags & FLAG.END_HEADERS) === 0;
    const isFirst = type === FRAME_TYPE.HEADERS;
    const skipped = !isFirst ? 0 : ((flags & FLAG.PADDED) === 0 ? 0 : 1) + ((flags & FLAG.PRIORITY) === 0 ? 0 : 5);
    const padding = isFirst && (flags & FLAG.PADDED) !== 0 ? (payload[0] ?? 0) : 0;
    this.#parts.push(payload.subarray(skipped, Math.max(skipped, payload.length - padding)));
    if (!this.isOpen) this.#end(id);
  }

  #end(id: number): void {
    const block = Buffer.concat(this.#parts);
    this.#parts = [];
    const list = this.#decoder.decode(block, 0, block.length);
    if (!this.requested.has(id)) {
      if (id < this.#highestId) this.goesBack = true;
      const authority = typeof list === "string" ? undefined : list.fields.find(({ name }) => name === ":authority");
      if (!AUTHORITY.test(authority?.value ?? "")) this.withoutAuthority.add(id);
    }
    this.requested.add(id);
    this.#highestId = Math.max(this.#highestId, id);
  }
}

const PROTOCOL_ERROR = 1;
const INTERNAL_ERROR = 2;
const STREAM_CLOSED = 5;
const FRAME_SIZE_ERROR = 6;
const ENHANCE_YOUR_CALM = 11;

/** Why one of them ended the connection and the other did not; undefined when there is no reason. */
export function explainEnd(ours: Answers, nodes: Answers, didWe: boolean, facts: SentFacts): string | undefined {
  const code = didWe ? ours.goawayCode : nodes.goawayCode;
  if (didWe) {
    // RFC 9113 §6.1 asks for a connection error; nghttp2 drops DATA for a stream that has ended without a look at it.
    const isOfPadding = code === PROTOCOL_ERROR || code === FRAME_SIZE_ERROR;
    if (isOfPadding && facts.hasExcessPadding) return "padding of DATA that is ignored";
    // RFC 9113 §6.5.3: in order; nghttp2 looks at the last one alone.
    if (facts.namesSettingTwice) return "a setting that comes twice";
    // RFC 9113 §5.1.1 asks for a connection error; nghttp2 takes it for a stream that is closed.
    if (code === PROTOCOL_ERROR && facts.goesBack) return "a request with an identifier that was passed over";
    // RFC 9113 §5.1 `closed`: a connection error where both ends have ended; Node has not answered yet.
    return code === STREAM_CLOSED && facts.endedTwice.size > 0 ? "a frame after END_STREAM" : undefined;
  }
  if (facts.isCut) return "a frame or block is judged before it is whole";
  // Node counts what it has sent; to us an acknowledgement too many is one more frame without work.
  if ((code === undefined || code === INTERNAL_ERROR) && facts.needlessAcks > 0) return "an acknowledgement of nothing";
  // The client opens no more streams, but those that it has are still answered (RFC 9113 §6.8); Node ends with an error of the client.
  if (facts.hasGoaway) return "GOAWAY of the client";
  // RFC 9113 §6.9, §6.9.1 ask for a stream error, and of a stream that is closed for none; Node ends the session.
  if (facts.hasOddWindow) return "a window of a stream that grows by nothing or overflows";
  // RFC 9113 §6.3 asks for a stream error.
  if (code === FRAME_SIZE_ERROR && facts.hasMisshapenPriority) return "PRIORITY of a wrong length";
  // RFC 9113 §5.1 lets a stream error do in `half-closed (remote)`, and we have answered and closed by then.
  if ((code === STREAM_CLOSED || code === INTERNAL_ERROR) && facts.endedTwice.size > 0)
    return "a frame after END_STREAM";
  if (code === ENHANCE_YOUR_CALM && facts.mostSettings > 32) return "more than 32 settings in a frame";
  return undefined;
}

/** Why a stream had another outcome; undefined when there is no reason. */
export function explainStream(
  id: number,
  ours: Answer | undefined,
  nodes: Answer | undefined,
  facts: SentFacts,
  isMalformed: boolean,
): string | undefined {
  // We answer when a request ends, Node some turns later: who resets it meanwhile gets an answer of one alone.
  if (facts.reset.has(id)) return "reset by its client";
  // RFC 9113 §8.2.1, §8.1.1: malformed. nghttp2 leaves the line out and lets the rest pass.
  if (isMalformed && ours?.resetCode === PROTOCOL_ERROR && nodes?.hasEnded === true) return "a line that is left out";
  // RFC 9113 §8.3.1 leaves :authority to the client; what is asked of us does not depend on it.
  if (nodes?.resetCode === PROTOCOL_ERROR && facts.withoutAuthority.has(id)) return "no authority";
  // An identifier that was passed over is closed; nghttp2 drops what comes for it.
  const wasPassedOver = ours?.resetCode === STREAM_CLOSED || !facts.requested.has(id);
  if (nodes === undefined && wasPassedOver) return "a frame on a stream that was passed over";
  // Windows were lowered after we had answered and before Node did; what was to open them again is cut off.
  if (nodes?.resetCode === undefined && facts.isCut) return "a window that is not opened again";
  if (facts.endedTwice.has(id)) return "a frame after END_STREAM";
  return undefined;
}
