// Where our server and nghttp2, as Node drives it, may differ, and why both are right or we are the stricter one.
// Whatever is not written here must be the same.

import { FLAG, FRAME_TYPE } from "../../src/server/http2/frame.ts";
import type { Answer, Answers } from "./answers.ts";
import { FrameSplitter } from "./client-frame.ts";

/** What of the client's octets explains a difference. */
export interface SentFacts {
  /** The last frame is not whole. */
  readonly isCut: boolean;
  readonly settingsAcks: number;
  readonly mostSettings: number;
  readonly hasExcessPadding: boolean;
  /** Streams on which something came after END_STREAM. */
  readonly endedTwice: ReadonlySet<number>;
  readonly reset: ReadonlySet<number>;
}

/** Reads what was sent, behind `prefaceBytes`. */
export function toSentFacts(batches: readonly Buffer[], prefaceBytes: number): SentFacts {
  const splitter = new FrameSplitter(prefaceBytes);
  const ended = new Set<number>();
  const endedTwice = new Set<number>();
  const reset = new Set<number>();
  let settingsAcks = 0;
  let mostSettings = 0;
  let hasExcessPadding = false;
  for (const bytes of batches) {
    splitter.split(bytes, (type, flags, id, payload) => {
      if (type === FRAME_TYPE.RST_STREAM) reset.add(id);
      if (type === FRAME_TYPE.SETTINGS) {
        if ((flags & FLAG.ACK) !== 0) settingsAcks++;
        mostSettings = Math.max(mostSettings, payload.length / 6);
      }
      if (type !== FRAME_TYPE.DATA && type !== FRAME_TYPE.HEADERS) return;
      if ((flags & FLAG.PADDED) !== 0 && (payload[0] ?? 0) >= payload.length) hasExcessPadding = true;
      if (ended.has(id)) endedTwice.add(id);
      if ((flags & FLAG.END_STREAM) !== 0) ended.add(id);
    });
  }
  return { isCut: splitter.restBytes > 0, settingsAcks, mostSettings, hasExcessPadding, endedTwice, reset };
}

const PROTOCOL_ERROR = 1;
const INTERNAL_ERROR = 2;
const STREAM_CLOSED = 5;
const ENHANCE_YOUR_CALM = 11;

/** Why one of them ended the connection and the other did not; undefined when there is no reason. */
export function explainEnd(ours: Answers, nodes: Answers, didWe: boolean, facts: SentFacts): string | undefined {
  const code = didWe ? ours.goawayCode : nodes.goawayCode;
  if (didWe) {
    // RFC 9113 §6.1 asks for a connection error; nghttp2 drops DATA for a stream that has ended without a look at it.
    return code === PROTOCOL_ERROR && facts.hasExcessPadding ? "padding of DATA that is ignored" : undefined;
  }
  if (facts.isCut) return "a frame is judged by its header, before it is whole";
  // Node counts the settings it has sent; to us an acknowledgement too many is one more frame without work.
  if ((code === undefined || code === INTERNAL_ERROR) && facts.settingsAcks > 1)
    return "SETTINGS acknowledged too often";
  // RFC 9113 §5.1 lets a stream error do in `half-closed (remote)`, and we have answered and closed by then.
  if (code === STREAM_CLOSED && facts.endedTwice.size > 0) return "a frame after END_STREAM";
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
  // An identifier that was passed over is closed; nghttp2 drops what comes for it.
  if (ours?.resetCode === STREAM_CLOSED && nodes === undefined) return "a frame on a stream that was passed over";
  if (facts.endedTwice.has(id)) return "a frame after END_STREAM";
  return undefined;
}
