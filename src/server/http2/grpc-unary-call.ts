// What every unary call has in common: its message is put together and unpacked, its deadline is watched, and it is answered
// exactly once, whatever happens. What the answer is, a subclass says in `run`.
// PERF: one object per call that is receiver, call and deadline at once; no closure, promise or timer where the message comes whole.

import type { Clock } from "../../base/clock.ts";
import type { Http2Counts } from "./counts.ts";
import { DEFAULT_WINDOW_BYTES } from "./frame.ts";
import type { Unpacker } from "./grpc-compression.ts";
import type { Deadlines, Expiring } from "./grpc-deadlines.ts";
import { MessageParts, sliceWholeMessage } from "./grpc-message.ts";
import type { GrpcRequest } from "./grpc-request.ts";
import { encodeStatusBlock, REFUSALS, REPLY_HEADERS, REPLY_TRAILERS, type Refusal } from "./grpc-response.ts";
import { type Http2Stream, MESSAGE_PREFIX_BYTES, type StreamReceiver } from "./stream.ts";

/** What calls share. */
export interface CallPorts {
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  readonly counts: Http2Counts;
  readonly deadlines: Deadlines;
  readonly unpacker: Unpacker;
  onFault(error: unknown): void;
}

/** One unary call from its headers on. */
export abstract class UnaryCall implements StreamReceiver, Expiring {
  /** When the headers came, in `Clock.monotonicMs` terms. */
  readonly receivedMs: number;
  readonly deadlineMs: number;
  deadlineSlot = -1;
  protected readonly stream: Http2Stream;
  protected readonly request: GrpcRequest;
  /** Answered, or there is nobody left to answer. */
  protected isOver = false;
  readonly #ports: CallPorts;
  #message: Uint8Array | undefined;
  #parts: MessageParts | undefined;
  #stopUnpacking: (() => void) | undefined;

  /** `timeoutMs`: that of the request, which can be read. */
  constructor(ports: CallPorts, stream: Http2Stream, request: GrpcRequest, timeoutMs: number) {
    this.#ports = ports;
    this.stream = stream;
    this.request = request;
    this.receivedMs = ports.clock.monotonicMs();
    this.deadlineMs = this.receivedMs + timeoutMs;
    if (timeoutMs !== Number.POSITIVE_INFINITY) ports.deadlines.add(this, this.receivedMs);
  }

  /** Answers the whole message, now or later, through `reply` and its siblings. Must not throw. */
  protected abstract run(message: Uint8Array): void;

  /** Told once, before the answer is sent. `isAbandoned`: there is none, or another than what is still worked on. */
  protected onOver(_isAbandoned: boolean): void {}

  onData(bytes: Buffer): void {
    if (this.isOver || bytes.length === 0) return;
    if (this.#message !== undefined) {
      this.refuse(REFUSALS.second_message);
      return;
    }
    if (this.#parts === undefined) {
      this.#message = sliceWholeMessage(bytes, this.#ports.maxMessageBytes);
      if (this.#message !== undefined) return;
      this.#parts = new MessageParts(this.#ports.maxMessageBytes);
    }
    this.#takePart(this.#parts, bytes);
  }

  onEnd(): void {
    if (this.isOver) return;
    if (this.#message !== undefined) this.run(this.#message);
    else if (this.#parts === undefined) this.refuse(REFUSALS.message_missing);
    else this.#finishParts(this.#parts);
  }

  onReset(): void {
    if (!this.isOver) this.#end(true);
  }

  onDeadline(): void {
    if (!this.isOver) this.abandon(REFUSALS.deadline_passed);
  }

  protected reply(message: Uint8Array): void {
    if (this.isOver) return;
    this.#end(false);
    this.stream.reply(REPLY_HEADERS, message, REPLY_TRAILERS);
  }

  protected replyStatus(code: number, message: string): void {
    if (this.isOver) return;
    this.#end(false);
    this.stream.sendHeaders(encodeStatusBlock(code, message), true);
  }

  /** A fixed answer in the place of the one that `run` gives. */
  protected refuse({ block, counted }: Refusal): void {
    if (this.isOver) return;
    this.#end(false);
    if (counted !== undefined) this.#ports.counts.streamRefusals[counted]++;
    this.stream.sendHeaders(block, true);
  }

  /** A fault of ours. SECURITY: its text may hold parts of the request; it goes to the log, not to the peer. */
  protected fail(error: unknown): void {
    this.#ports.onFault(error);
    this.refuse(REFUSALS.fault);
  }

  /** Refuses, and tells what still works on the answer that nobody waits for it. */
  protected abandon({ block }: Refusal): void {
    this.#end(true);
    this.stream.sendHeaders(block, true);
  }

  #end(isAbandoned: boolean): void {
    this.isOver = true;
    this.#ports.deadlines.remove(this);
    if (this.#stopUnpacking !== undefined) this.#stopUnpacking();
    // A handler may keep its call for longer than the stream lives.
    this.#message = undefined;
    this.#parts = undefined;
    this.onOver(isAbandoned);
  }

  #takePart(parts: MessageParts, bytes: Buffer): void {
    const isPrefixNew = parts.length === undefined;
    const fault = parts.take(bytes);
    if (fault !== undefined) {
      this.refuse(REFUSALS[fault]);
      return;
    }
    if (!isPrefixNew || parts.length === undefined) return;
    const { encoding } = this.request;
    // The prefix has come: a message that cannot be read is refused before the rest of it is sent.
    if (parts.isCompressed && encoding !== "gzip") {
      this.refuse(encoding === "identity" ? REFUSALS.encoding_missing : REFUSALS.encoding_unsupported);
      return;
    }
    const wanted = MESSAGE_PREFIX_BYTES + parts.length;
    if (wanted > DEFAULT_WINDOW_BYTES) this.stream.grant(wanted - DEFAULT_WINDOW_BYTES);
  }

  #finishParts(parts: MessageParts): void {
    const message = parts.finish();
    if (typeof message === "string") this.refuse(REFUSALS[message]);
    else if (parts.isCompressed) this.#unpack(message);
    else this.run(message);
  }

  #unpack(packed: Uint8Array): void {
    const stop = this.#ports.unpacker.unpack(this.stream.peer, packed, (outcome) => {
      this.#stopUnpacking = undefined;
      if (this.isOver) return;
      if (typeof outcome === "string") this.refuse(REFUSALS[outcome]);
      else this.run(outcome);
    });
    if (!this.isOver) this.#stopUnpacking = stop;
  }
}
