// One conversation of a client with the server, step by step: valid, valid with something done to it on its way, or raw octets.
// Whatever the client sends, the server must not throw, must write what a client can read, must keep to its limits, and must be
// silent after its end; a valid client must get exactly its answers.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Http2Connection } from "../../src/server/http2/connection.ts";
import { CLIENT_PREFACE } from "../../src/server/http2/frame.ts";
import type { Random } from "../support/random.ts";
import { toBytes } from "./client-frame.ts";
import { FuzzClient, type SentRequest } from "./fuzz-client.ts";
import { FuzzOutput, type FuzzServer } from "./fuzz-server.ts";
import { mutate, rawBytes } from "./mutations.ts";
import { prefixed } from "./requests.ts";
import { bodyOf, Finding, ServerWatch, type WatchedStream } from "./server-watch.ts";

export type ConversationKind = "valid" | "mutated" | "raw" | "headless";

const REFUSED_STREAM = 7;
/** Steps after which a valid client that has no answers will not get them. */
const PATIENCE = 400;
/** Turns may be short, and a thread of zlib has to be waited for. */
const PATIENCE_WITH_THREADS = 100_000;

/** What was done, to be done again. */
export type Recorded =
  | readonly ["receive", string]
  | readonly ["drained", number]
  | readonly ["advance", number]
  | readonly ["sweep" | "notice" | "finish" | "cut" | "closed" | "turn" | "later"];

export class Conversation {
  readonly kind: ConversationKind;
  readonly record: Recorded[] = [];
  frames = 0;
  isOver = false;
  /** No other conversation is open on its server. */
  isAlone = false;
  answers = 0;
  readonly #random: Random;
  readonly #server: FuzzServer;
  readonly #output: FuzzOutput;
  readonly #watch: ServerWatch;
  readonly #client: FuzzClient;
  readonly #connection: Http2Connection;
  readonly #ends: number[] = [];
  #hasBegun = false;
  #steps = 0;
  /** Steps since all was sent. */
  #waits = 0;
  readonly #patience: number;
  #isLeaving = false;

  constructor(kind: ConversationKind, server: FuzzServer, random: Random, usesThreads: boolean) {
    const { limits } = server;
    this.kind = kind;
    this.#random = random;
    this.#patience = usesThreads ? PATIENCE_WITH_THREADS : PATIENCE;
    this.#server = server;
    this.#output = new FuzzOutput(random.chance(70));
    this.#watch = new ServerWatch(CLIENT_PREFACE.length, kind === "valid");
    this.#client = new FuzzClient({
      random,
      watch: this.#watch,
      maxStreams: limits.maxConcurrentStreams,
      maxMessageBytes: limits.maxMessageBytes,
      maxContinuations: limits.maxContinuations,
      headerTableBytes: limits.maxHeaderTableBytes,
      requests: 1 + random.below(random.chance(20) ? 120 : 30),
      usesThreads,
      isBulky: random.chance(1),
    });
    this.#connection = server.connect(this.#output, () => {
      this.#ends.push(1);
      if (this.#ends.length > 1) throw new Finding("onEnd is told twice");
    });
  }

  /** The code of the GOAWAY that ended it; undefined when it ended in another way. */
  get goawayCode(): number | undefined {
    return this.#watch.goawayCode;
  }

  /** Does the next thing. Throws a Finding. */
  async step(): Promise<void> {
    const random = this.#random;
    const server = this.#server;
    this.#send(this.#nextBytes());
    if (random.chance(20)) this.#drain();
    if (random.chance(30)) this.#advance();
    if (server.later.length > 0 && random.chance(30)) this.#later();
    if (this.kind !== "valid" && random.chance(1)) this.#leave();
    if (server.isPending && (server.later.length > 8 || random.chance(40))) await this.turn();
    this.#look();
    if (this.#ends.length > 0) this.#finish();
    else if (this.kind === "valid") await this.#closeWhenAnswered();
    else if (this.#client.isContent || random.chance(1)) this.#close();
  }

  /** Lets what waits for the end of a turn happen. */
  async turn(): Promise<void> {
    this.record.push(["turn"]);
    this.#server.isPending = false;
    await nextTurn();
    this.#look();
  }

  /** Nothing may have changed that was written before; to be asked once other conversations have gone on. */
  checkKept(): void {
    this.#output.checkKept();
    if (this.#output.written.length > 0) throw new Finding("a write after the end of the conversation");
  }

  #nextBytes(): Buffer {
    const random = this.#random;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      const first = FuzzClient.firstSettings(random);
      this.frames++;
      if (this.kind === "headless")
        return random.chance(50)
          ? rawBytes(random)
          : Buffer.concat([CLIENT_PREFACE.subarray(random.below(24)), toBytes([first])]);
      return Buffer.concat([
        CLIENT_PREFACE,
        this.kind === "mutated" && random.chance(3) ? mutate([first], random) : toBytes([first]),
      ]);
    }
    if (this.kind === "raw" || this.kind === "headless") {
      this.frames += 3;
      return rawBytes(random);
    }
    const frames = this.#client.next();
    if (this.kind === "valid" && this.#client.isContent) {
      this.#waits++;
      if (this.#waits % 8 === 4 && this.#waits < PATIENCE) frames.push(...this.#client.openUp());
    }
    this.frames += frames.length;
    return this.kind === "mutated" && random.chance(12) ? mutate(frames, random) : toBytes(frames);
  }

  #send(bytes: Buffer): void {
    const random = this.#random;
    if (bytes.length === 0) return;
    this.#watch.sending(bytes);
    let at = 0;
    while (at < bytes.length) {
      const end = random.chance(70)
        ? bytes.length
        : Math.min(bytes.length, at + 1 + random.below(random.chance(50) ? 12 : bytes.length));
      // What the kernel has not taken must move before anything is read.
      for (let tries = 0; !this.#connection.wantsRead; tries++) {
        if (tries > 1_000) throw new Finding("nothing is read although all was taken");
        this.#drain(true);
      }
      if (this.#ends.length > 0 && random.chance(80)) return;
      const chunk = bytes.subarray(at, end);
      this.record.push(["receive", ""]);
      this.record[this.record.length - 1] = ["receive", chunk.toString("latin1")];
      this.#connection.receive(chunk);
      this.#checkHeld();
      at = end;
    }
  }

  #drain(all = false): void {
    const output = this.#output;
    if (output.unsentBytes === 0 && !all) return;
    const random = this.#random;
    const taken = all || random.chance(60) ? output.unsentBytes : random.below(output.unsentBytes + 1);
    output.unsentBytes -= taken;
    this.record.push(["drained", taken]);
    this.#connection.drained();
    this.#checkHeld();
  }

  #advance(): void {
    const random = this.#random;
    const server = this.#server;
    const ms = this.kind === "valid" ? random.below(20) : random.below(random.chance(90) ? 100 : 6_000);
    this.record.push(["advance", ms]);
    server.clock.advanceMs(ms);
    if (!random.chance(this.kind === "valid" ? 10 : 40)) return;
    this.record.push(["sweep"]);
    this.#connection.sweep(server.clock.monotonicMs());
  }

  #later(): void {
    this.record.push(["later"]);
    const due = this.#server.later;
    this.#server.later = [];
    this.#server.isPending = true;
    for (const settle of due) settle();
  }

  #leave(): void {
    const action = this.#random.pick(["notice", "finish", "cut"] as const);
    this.record.push([action]);
    this.#server.isPending = true;
    if (action === "cut") this.#connection.cut("drain");
    else if (action === "finish") this.#finishConnection();
    else if (!this.#isLeaving) this.#connection.sendGoawayNotice();
  }

  #finishConnection(): void {
    this.#isLeaving = true;
    this.#connection.finish("max_age");
  }

  /** Reads what the server has written. */
  #look(): void {
    const output = this.#output;
    const { written } = output;
    output.written = [];
    for (const bytes of written) this.#watch.receiving(bytes);
    if (this.#connection.wantsRead) this.#watch.read();
    const { faults } = this.#server;
    if (faults.length > 0)
      throw new Finding(`a fault: ${faults[0] instanceof Error ? faults[0].stack : String(faults[0])}`);
    if (output.hasEnded !== this.#ends.length > 0) throw new Finding("the end of the output and onEnd do not agree");
  }

  #checkHeld(): void {
    const { counts, limits } = this.#server;
    // What one batch brings is judged when it is over.
    if (counts.unfinishedBytes > limits.maxUnfinishedBytes || counts.unfinishedBytes < 0) {
      throw new Finding(`${counts.unfinishedBytes} bytes are held`);
    }
    // Beyond the limit there may be one answer, and what is written of itself: acknowledgements of one batch.
    if (this.#output.unsentBytes > limits.maxUnsentBytes + 160_000)
      throw new Finding(`${this.#output.unsentBytes} bytes wait`);
  }

  async #closeWhenAnswered(): Promise<void> {
    const isAnswered = (request: SentRequest): boolean => {
      const stream = this.#watch.streams.get(request.id);
      return request.wasReset || stream?.state === "ended" || stream?.state === "reset";
    };
    if (!this.#client.isContent) {
      if (++this.#steps > this.#patience * 10) throw new Finding("a valid conversation does not end");
      return;
    }
    if (!this.#client.requests.every(isAnswered) || this.#watch.unacknowledged > 0) {
      if (this.#server.later.length > 0) this.#later();
      await this.turn();
      this.#drain();
      if (this.#waits > this.#patience) {
        const missing = this.#client.requests.filter((request) => !isAnswered(request)).map(({ id }) => id);
        throw new Finding(`no answer on streams ${missing}, ${this.#watch.unacknowledged} not acknowledged`);
      }
      return;
    }
    for (const request of this.#client.requests)
      this.#checkAnswer(request, this.#watch.streams.get(request.id) as WatchedStream);
    if (this.#watch.goawayCode !== undefined) throw new Finding(`GOAWAY ${this.#watch.goawayCode} to a valid client`);
    // Answers that the client has not taken yet are held too, and so is what is not read meanwhile.
    this.#drain(true);
    const { unfinishedBytes } = this.#server.counts;
    if (this.isAlone && this.#connection.wantsRead && unfinishedBytes > 0)
      throw new Finding(`${unfinishedBytes} bytes are held after the last answer`);
    this.#close();
  }

  #checkAnswer(request: SentRequest, stream: WatchedStream): void {
    const { expected } = request;
    const wrong = (): Finding => new Finding(describe(request, stream));
    if (request.wasReset) return;
    // More waited for the client's windows than may: it may try again.
    const wasBusy = this.#server.counts.streamRefusals.flow_control > 0;
    if (stream.state === "reset" && stream.resetCode === REFUSED_STREAM && wasBusy) return;
    this.answers++;
    if (expected.kind === "reset") {
      if (stream.resetCode !== expected.code || stream.status !== undefined) throw wrong();
      return;
    }
    if (stream.state !== "ended") throw wrong();
    // RFC 9113 §8.1: who is answered before the end of its request is told that the rest is not wanted.
    if (!stream.endWasSent && stream.resetCode === undefined) throw wrong();
    if (expected.kind === "http") {
      if (stream.status !== expected.status || stream.grpcStatus !== undefined) throw wrong();
    } else if (expected.kind === "status") {
      if (stream.status !== "200" || stream.grpcStatus !== expected.code || stream.bodyBytes > 0) throw wrong();
    } else if (
      stream.status !== "200" ||
      stream.grpcStatus !== "0" ||
      !bodyOf(stream).equals(prefixed(expected.bytes))
    ) {
      throw wrong();
    }
  }

  #close(): void {
    this.record.push(["closed"]);
    this.#connection.closed();
    if (this.#ends.length === 0) throw new Finding("onEnd is not told of a closed socket");
    // The socket is gone: nothing may be written from now on.
    this.#output.hasEnded = true;
    this.#finish();
  }

  #finish(): void {
    this.isOver = true;
    this.#look();
    const wasRude = this.kind === "valid" && this.record.at(-1)?.[0] !== "closed";
    if (wasRude) throw new Finding(`a valid conversation was ended: GOAWAY ${this.#watch.goawayCode}`);
    if (this.#connection.openStreams !== 0)
      throw new Finding(`${this.#connection.openStreams} streams are open after the end`);
    const connection = this.#connection;
    // All of this must be without effect.
    connection.receive(Buffer.from("0000080600000000000000000000000000", "hex"));
    connection.drained();
    connection.sweep(this.#server.clock.monotonicMs() + 1e9);
    connection.sendGoawayNotice();
    connection.finish("drain");
    connection.cut("drain");
    connection.closed();
    if (this.#output.written.length > 0) throw new Finding("a write after the end");
    if (this.record.at(-1)?.[0] !== "closed" && this.#watch.goawayCode !== undefined) this.#watch.end();
  }
}

function describe({ id, expected }: SentRequest, stream: WatchedStream): string {
  const { state, status, grpcStatus, resetCode, bodyBytes } = stream;
  const wanted =
    expected.kind === "message" ? `a message of ${expected.bytes.length} octets` : JSON.stringify(expected);
  return `stream ${id}: ${state}, ${status} ${grpcStatus}, reset ${resetCode}, ${bodyBytes} octets; wanted ${wanted}`;
}
