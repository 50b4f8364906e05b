// What each frame of a peer means, and which rule it may break. SPEC: RFC 9113 §5.1, §5.4, §6.

import type { ConnectionCore } from "./connection-core.ts";
import { ERROR_CODE } from "./error-code.ts";
import { FLAG, FRAME_TYPE, read31Bits } from "./frame.ts";
import type { FrameSink } from "./frame-reader.ts";
import { type HeaderBlock, type HeaderBlockFault, HeaderBlocks } from "./header-blocks.ts";
import { createHpackDecoder } from "./hpack-decoder.ts";
import { IncomingHeaders } from "./incoming-headers.ts";
import type { ReceiveFlow } from "./receive-flow.ts";
import { DEFAULT_TABLE_BYTES, parsePeerSettings } from "./settings.ts";

/** Open streams that are changed at about the cost of a frame. */
const STREAMS_A_FRAME = 64;

/** Takes the frames of one connection. */
export class IncomingFrames implements FrameSink {
  readonly #core: ConnectionCore;
  readonly #headers: IncomingHeaders;
  readonly #data: ReceiveFlow;
  readonly blocks: HeaderBlocks;
  /** The client's preface is complete. */
  hasSettings = false;
  /** Whole frames that have come; wraps. */
  count = 0;

  constructor(core: ConnectionCore, data: ReceiveFlow) {
    const { limits } = core.options;
    this.#core = core;
    this.#data = data;
    this.blocks = new HeaderBlocks({
      maxBlockBytes: 2 * limits.maxHeaderListBytes,
      maxContinuations: limits.maxContinuations,
    });
    const decoder = createHpackDecoder({
      maxTableBytes: limits.maxHeaderTableBytes,
      maxListBytes: limits.maxHeaderListBytes,
    });
    this.#headers = new IncomingHeaders(core, decoder);
  }

  onBadPreface(): void {
    this.#protocolError();
  }

  onOversizedFrame(): void {
    this.#sizeError();
  }

  onFrame(bytes: Buffer, start: number, end: number, type: number, flags: number, streamId: number): boolean {
    this.count = (this.count + 1) | 0;
    const core = this.#core;
    if (this.blocks.openStreamId !== 0) {
      // SPEC: RFC 9113 §6.10: nothing may come between the frames of a header block.
      if (type !== FRAME_TYPE.CONTINUATION || streamId !== this.blocks.openStreamId) this.#protocolError();
      else this.#onHeaderBlock(this.blocks.go(bytes, start, end, flags));
      return this.#goesOn();
    }
    // SPEC: RFC 9113 §3.4: the preface ends with SETTINGS.
    if (!this.hasSettings && (type !== FRAME_TYPE.SETTINGS || (flags & FLAG.ACK) !== 0)) {
      this.#protocolError();
      return false;
    }
    switch (type) {
      case FRAME_TYPE.DATA:
        if (streamId === 0) this.#protocolError();
        else this.#data.onData(bytes, start, end, flags, streamId);
        break;
      case FRAME_TYPE.HEADERS:
        // SPEC: RFC 9113 §5.1.1: clients use odd identifiers.
        if ((streamId & 1) === 0) this.#protocolError();
        else this.#onHeaderBlock(this.blocks.begin(bytes, start, end, flags, streamId));
        break;
      case FRAME_TYPE.PRIORITY:
        this.#onPriority(bytes, start, end, streamId);
        break;
      case FRAME_TYPE.RST_STREAM:
        if (this.#isIdle(streamId)) this.#protocolError();
        else if (end - start !== 4) this.#sizeError();
        else core.ends.onPeerReset(core.streams.get(streamId));
        break;
      case FRAME_TYPE.SETTINGS:
        this.#onSettings(bytes, start, end, flags, streamId);
        break;
      case FRAME_TYPE.PING:
        if (streamId !== 0) this.#protocolError();
        else if (end - start !== 8) this.#sizeError();
        else if (this.#core.admitEarnedControl() && (flags & FLAG.ACK) === 0)
          core.writer.ping(bytes.subarray(start, end), true);
        break;
      case FRAME_TYPE.GOAWAY:
        // The peer opens no more streams, and closes when it has its answers.
        if (streamId !== 0) this.#protocolError();
        else if (end - start < 8) this.#sizeError();
        else this.#core.admitControl();
        break;
      case FRAME_TYPE.WINDOW_UPDATE:
        this.#onWindowUpdate(bytes, start, end, streamId);
        break;
      case FRAME_TYPE.PUSH_PROMISE:
      case FRAME_TYPE.CONTINUATION:
        this.#protocolError();
        break;
      default:
        // SPEC: RFC 9113 §5.5: unknown types are ignored.
        this.#core.admitControl();
    }
    return this.#goesOn();
  }

  #onHeaderBlock(block: HeaderBlock | HeaderBlockFault | undefined): void {
    if (typeof block === "object") this.#headers.onBlock(block);
    else if (block === "frame_size_error") this.#sizeError();
    else if (block === "protocol_error") this.#protocolError();
    else if (block !== undefined) this.#core.fail(block, ERROR_CODE.ENHANCE_YOUR_CALM);
  }

  /** SPEC: RFC 9113 §5.3.2, §6.3: read for its form and else ignored; RFC 7540 §5.3.1 for the dependency. */
  #onPriority(bytes: Buffer, start: number, end: number, streamId: number): void {
    if (streamId === 0) this.#protocolError();
    else if (end - start !== 5) this.#streamError(streamId, ERROR_CODE.FRAME_SIZE_ERROR);
    else if (read31Bits(bytes, start) === streamId) this.#streamError(streamId, ERROR_CODE.PROTOCOL_ERROR);
    else this.#core.admitControl();
  }

  #onSettings(bytes: Buffer, start: number, end: number, flags: number, streamId: number): void {
    const core = this.#core;
    if (streamId !== 0) {
      this.#protocolError();
      return;
    }
    if ((flags & FLAG.ACK) !== 0) {
      if (end !== start) this.#sizeError();
      else if (this.#core.admitControl()) this.#headers.onSettingsAck();
      return;
    }
    this.hasSettings = true;
    if (!this.#core.admitControl()) return;
    const settings = parsePeerSettings(bytes, start, end);
    if (!settings.ok) {
      if (settings.code === "frame_size_error") this.#sizeError();
      else if (settings.code === "protocol_error") this.#protocolError();
      else core.fail("flow_control_error", ERROR_CODE.FLOW_CONTROL_ERROR);
      return;
    }
    const { headerTableBytes, initialWindowBytes } = settings.value;
    if (initialWindowBytes !== undefined && !this.#admitStreams()) return;
    if (headerTableBytes !== undefined && headerTableBytes < DEFAULT_TABLE_BYTES) core.writer.lowerTableSize();
    core.writer.settingsAck();
    if (initialWindowBytes !== undefined && !core.flow.setInitialWindow(initialWindowBytes, core.streams.list())) {
      core.fail("flow_control_error", ERROR_CODE.FLOW_CONTROL_ERROR);
    }
  }

  #onWindowUpdate(bytes: Buffer, start: number, end: number, streamId: number): void {
    const core = this.#core;
    if (end - start !== 4) {
      this.#sizeError();
      return;
    }
    const increment = read31Bits(bytes, start);
    if (streamId === 0) {
      if (increment === 0) this.#protocolError();
      else if (!core.flow.widen(increment)) core.fail("flow_control_error", ERROR_CODE.FLOW_CONTROL_ERROR);
      else this.#core.admitEarnedControl();
      return;
    }
    if (this.#isIdle(streamId)) {
      this.#protocolError();
      return;
    }
    if (increment === 0) {
      this.#streamError(streamId, ERROR_CODE.PROTOCOL_ERROR);
      return;
    }
    const stream = core.streams.get(streamId);
    if (stream !== undefined && !core.flow.widenStream(stream, increment)) {
      core.ends.refuse(streamId, stream, ERROR_CODE.FLOW_CONTROL_ERROR, "flow_control");
      return;
    }
    this.#core.admitEarnedControl();
  }

  /** SPEC: RFC 9113 §5.1: a stream that nobody has opened; ours never are. */
  #isIdle(streamId: number): boolean {
    return streamId === 0 || (streamId & 1) === 0 || streamId > this.#core.streams.highestId;
  }

  /** On a stream that was never opened there is nothing to reset: the connection ends instead. */
  #streamError(streamId: number, code: typeof ERROR_CODE.FRAME_SIZE_ERROR | typeof ERROR_CODE.PROTOCOL_ERROR): void {
    const core = this.#core;
    if (!this.#isIdle(streamId)) core.ends.refuse(streamId, core.streams.get(streamId), code, "malformed");
    else if (code === ERROR_CODE.FRAME_SIZE_ERROR) this.#sizeError();
    else this.#protocolError();
  }

  /** SECURITY: a new window of 15 octets is work for every stream that is open. */
  #admitStreams(): boolean {
    for (let left = this.#core.streams.openCount; left >= STREAMS_A_FRAME; left -= STREAMS_A_FRAME) {
      if (!this.#core.admitControl()) return false;
    }
    return true;
  }

  #protocolError(): void {
    this.#core.fail("protocol_error", ERROR_CODE.PROTOCOL_ERROR);
  }

  #sizeError(): void {
    this.#core.fail("frame_size_error", ERROR_CODE.FRAME_SIZE_ERROR);
  }

  #goesOn(): boolean {
    return !this.#core.isOver && !this.#core.flow.isBehind && this.#core.turnRequests > 0;
  }
}
