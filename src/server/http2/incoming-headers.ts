// What a whole header block means: a request, the trailers of one, or a frame for a stream that is no more.
// SPEC: RFC 9113 §4.3 (every block is decoded, whatever becomes of its stream), §5.1, §5.1.1, §8.1.

import type { ConnectionCore } from "./connection-core.ts";
import { ERROR_CODE } from "./error-code.ts";
import type { HeaderBlock } from "./header-blocks.ts";
import type { HeaderList } from "./header-list.ts";
import type { HpackDecoder } from "./hpack-decoder.ts";
import { judgeTrailers, parseRequestFraming } from "./request-rules.ts";
import { ServerStream } from "./server-stream.ts";

const UNKNOWN_LENGTH = -1;
const MALFORMED = -2;
/** What an open stream and its call take in memory besides header lines and body. */
const STREAM_BYTES = 512;
/** Header lists that are remembered: those of ordinary calls. */
const MAX_REMEMBERED_BYTES = 4096;

/** Opens streams, and ends requests with their trailers. */
export class IncomingHeaders {
  readonly #core: ConnectionCore;
  readonly #decoder: HpackDecoder;
  readonly #maxWaitingBytes: number;
  readonly #maxStreams: number;
  /** PERF: a block that comes again decodes to the same object, whose framing needs no second look. */
  #lastList: HeaderList | undefined;
  #lastLength: number = UNKNOWN_LENGTH;
  /** The peer has acknowledged our settings, so it knows how many streams it may open. */
  #settingsAcknowledged = false;

  constructor(core: ConnectionCore, decoder: HpackDecoder) {
    const { limits } = core.options;
    this.#core = core;
    this.#decoder = decoder;
    this.#maxWaitingBytes = limits.maxUnsentBytes;
    this.#maxStreams = limits.maxConcurrentStreams;
  }

  onSettingsAck(): void {
    if (this.#settingsAcknowledged) return;
    this.#settingsAcknowledged = true;
    this.#decoder.setMaxTableBytes(this.#core.options.limits.maxHeaderTableBytes);
  }

  onBlock(block: HeaderBlock): void {
    const core = this.#core;
    const list = this.#decoder.decode(block.bytes, block.start, block.end);
    if (list === "malformed") {
      core.fail("compression_error", ERROR_CODE.COMPRESSION_ERROR);
      return;
    }
    const id = block.streamId;
    const stream = core.streams.get(id);
    if (stream !== undefined) this.#onTrailers(stream, list, block);
    else if (id > core.streams.highestId) this.#onRequest(id, list, block);
    else this.#onClosed(id);
  }

  #onRequest(id: number, list: HeaderList | "too_large", block: HeaderBlock): void {
    const core = this.#core;
    const { streams } = core;
    // SPEC: RFC 9113 §6.8: beyond the last stream of our GOAWAY, to be tried again elsewhere.
    if (core.isFinishing) streams.remember(id, true);
    else if (block.dependsOnItself) core.ends.refuse(id, undefined, ERROR_CODE.PROTOCOL_ERROR, "malformed");
    else if (list === "too_large") core.ends.refuse(id, undefined, ERROR_CODE.ENHANCE_YOUR_CALM, "header_list");
    else if (streams.openCount >= this.#maxStreams) this.#refuseBusy(id);
    else {
      const length = this.#lengthOf(list);
      if (length === MALFORMED || (block.endStream && length > 0)) {
        core.ends.refuse(id, undefined, ERROR_CODE.PROTOCOL_ERROR, "malformed");
      } else if (core.flow.waitingBytes > this.#maxWaitingBytes) {
        // SECURITY: the peer asks on and does not open its windows for what it has been answered. Its frames must be read, for
        // they may open them; nothing new is begun until they do.
        core.ends.refuse(id, undefined, ERROR_CODE.REFUSED_STREAM, "flow_control");
      } else this.#open(id, list, length, block.endStream);
    }
  }

  #open(id: number, list: HeaderList, length: number, endStream: boolean): void {
    const core = this.#core;
    const stream = new ServerStream(core, id, core.nowMs, core.flow.initialWindow, length, endStream);
    core.streams.add(stream);
    core.turnRequests--;
    stream.receiver = core.options.open(stream, list, endStream);
    // One that lives long has handed its lines on; how many there are is bounded where they go.
    if (!stream.isOpen || stream.receiver?.isLongLived === true) return;
    stream.headBytes = list.bytes + STREAM_BYTES;
    core.headBytes += stream.headBytes;
  }

  #refuseBusy(id: number): void {
    const core = this.#core;
    if (this.#settingsAcknowledged) {
      core.ends.refuse(id, undefined, ERROR_CODE.REFUSED_STREAM, "concurrent_streams");
      return;
    }
    // SPEC: RFC 9113 §6.5.3: it may not have read our limit yet, which is no offence as such.
    core.options.counts.streamRefusals.concurrent_streams++;
    core.writer.rstStream(id, ERROR_CODE.REFUSED_STREAM);
    core.streams.remember(id, true);
    this.#countIdleBlock();
  }

  #onTrailers(stream: ServerStream, list: HeaderList | "too_large", block: HeaderBlock): void {
    const core = this.#core;
    const { id } = stream;
    if (stream.requestEnded) core.ends.refuse(id, stream, ERROR_CODE.STREAM_CLOSED, "malformed");
    else if (list === "too_large") core.ends.refuse(id, stream, ERROR_CODE.ENHANCE_YOUR_CALM, "header_list");
    else if (
      block.dependsOnItself ||
      // SPEC: RFC 9113 §8.1: a second HEADERS is trailers, and trailers end the request.
      !block.endStream ||
      stream.expectedBytes > 0 ||
      judgeTrailers(list) !== undefined
    ) {
      core.ends.refuse(id, stream, ERROR_CODE.PROTOCOL_ERROR, "malformed");
    } else {
      stream.requestEnded = true;
      stream.receiver?.onEnd();
    }
  }

  /** SPEC: RFC 9113 §5.1 `closed`, §5.1.1. */
  #onClosed(id: number): void {
    const core = this.#core;
    const closed = core.streams.closed(id);
    // What was sent before our RST_STREAM or GOAWAY had arrived.
    if (core.isFinishing) return;
    if (closed === "reset") this.#countIdleBlock();
    else core.fail("protocol_error", closed === "completed" ? ERROR_CODE.STREAM_CLOSED : ERROR_CODE.PROTOCOL_ERROR);
  }

  /** SECURITY: a header block that asks for nothing that is given has still been decoded. */
  #countIdleBlock(): void {
    this.#core.admitControl();
  }

  /** The announced length of a well-formed request's body. */
  #lengthOf(list: HeaderList): number {
    if (list === this.#lastList) return this.#lastLength;
    const framing = parseRequestFraming(list);
    const length = framing.ok ? (framing.value.contentLength ?? UNKNOWN_LENGTH) : MALFORMED;
    // SECURITY: an idle connection keeps nothing large.
    if (list.bytes <= MAX_REMEMBERED_BYTES) {
      this.#lastList = list;
      this.#lastLength = length;
    }
    return length;
  }
}
