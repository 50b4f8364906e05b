// The ordinary peers of a soak: connections that ask what is due, know each right answer, and are replaced one by one.

import { Latencies } from "../latencies.ts";
import { type CheckOutcome, LoadConnection } from "../load-connection.ts";
import { connect, type Target } from "./connect.ts";

/** A check and what it must come to. */
export interface OrdinaryCheck {
  /** gRPC message, prefix included. */
  readonly message: Buffer;
  readonly expected: CheckOutcome;
}

/** What came of the checks. */
export interface OrdinaryFigures {
  readonly latencies: Latencies;
  asked: number;
  right: number;
  /** A wrong decision, an error, a reset, or a connection that the server ended under it. */
  harmed: number;
  connections: number;
}

/** How long a closed loop waits for its last answers. */
const LAST_ANSWERS_MS = 10_000;

export class OrdinaryPeers {
  readonly figures: OrdinaryFigures = { latencies: new Latencies(), asked: 0, right: 0, harmed: 0, connections: 0 };
  /** What went wrong, the first few times. */
  readonly complaints: string[] = [];
  readonly #target: Target;
  readonly #checks: readonly OrdinaryCheck[];
  readonly #bodies: readonly Buffer[];
  readonly #connections: LoadConnection[] = [];
  readonly #leaving = new Set<LoadConnection>();
  #interval = new Latencies();
  #next = 0;
  /** Checks in flight to keep on each connection; 0 while `ask` says how many. */
  #inFlight = 0;

  constructor(target: Target, checks: readonly OrdinaryCheck[], connections: number) {
    this.#target = target;
    this.#checks = checks;
    this.#bodies = checks.map(({ message }) => message);
    for (let count = 0; count < connections; count++) this.#connections.push(this.#open());
  }

  /** Checks a second in a closed loop with `inFlight` of them on each connection. */
  async measureCapacity(inFlight: number, forMs: number): Promise<number> {
    this.#inFlight = inFlight;
    const before = this.figures.right;
    const startMs = performance.now();
    for (const connection of this.#connections) this.#fill(connection);
    await new Promise((resolve) => setTimeout(resolve, forMs));
    const perSecond = ((this.figures.right - before) * 1000) / (performance.now() - startMs);
    this.#inFlight = 0;
    await this.settled();
    return perSecond;
  }

  /** Asks `count` checks that are due since `sinceMs`, as many as connections take; gives how many. */
  ask(count: number, sinceMs: number): number {
    let left = count;
    const each = Math.ceil(count / this.#connections.length);
    for (let tries = 0; left > 0 && tries < this.#connections.length; tries++) {
      const connection = this.#connections[this.#next++ % this.#connections.length];
      left -= connection?.send(Math.min(each, left), sinceMs) ?? 0;
    }
    this.figures.asked += count - left;
    return count - left;
  }

  /** Waiting times since the last call. */
  takeInterval(): Latencies {
    const interval = this.#interval;
    this.#interval = new Latencies();
    return interval;
  }

  /** Opens a new connection in place of the oldest one, which is closed when it has all its answers. */
  replaceOne(): void {
    const oldest = this.#connections.shift();
    this.#connections.push(this.#open());
    if (oldest === undefined) return;
    this.#leaving.add(oldest);
    this.#closeLeft();
  }

  /** Resolves when every check has its answer; those without one after a while are harmed. */
  async settled(): Promise<void> {
    const untilMs = performance.now() + LAST_ANSWERS_MS;
    const waiting = (): number =>
      [...this.#connections, ...this.#leaving].reduce((sum, { inFlight }) => sum + inFlight, 0);
    while (waiting() > 0 && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 5));
    if (waiting() === 0) return;
    this.figures.harmed += waiting();
    this.#complain(`${waiting()} checks have no answer after ${LAST_ANSWERS_MS} ms`);
  }

  close(): void {
    for (const connection of [...this.#connections, ...this.#leaving]) connection.destroy();
  }

  #open(): LoadConnection {
    this.figures.connections++;
    const connection: LoadConnection = new LoadConnection({
      socket: connect(this.#target),
      bodies: this.#bodies,
      onAnswer: (outcome, waitedMs, body) => this.#judge(outcome, waitedMs, body),
      onBatch: () => {
        if (this.#inFlight > 0) this.#fill(connection);
        if (this.#leaving.size > 0) this.#closeLeft();
      },
      onEnd: (why) => {
        this.#complain(`the server ended an ordinary connection: ${why}`);
        this.figures.harmed++;
        const at = this.#connections.indexOf(connection);
        if (at >= 0) this.#connections[at] = this.#open();
        this.#leaving.delete(connection);
      },
    });
    return connection;
  }

  #fill(connection: LoadConnection): void {
    this.figures.asked += connection.send(this.#inFlight - connection.inFlight, performance.now());
  }

  #judge(outcome: CheckOutcome, waitedMs: number, body: number): void {
    this.figures.latencies.add(waitedMs);
    this.#interval.add(waitedMs);
    const expected = this.#checks[body]?.expected;
    if (outcome === expected) {
      this.figures.right++;
      return;
    }
    this.figures.harmed++;
    this.#complain(`check ${body} was ${outcome}, not ${expected}, after ${waitedMs.toFixed(1)} ms`);
  }

  #closeLeft(): void {
    for (const connection of this.#leaving) {
      if (connection.inFlight > 0) continue;
      this.#leaving.delete(connection);
      connection.destroy();
    }
  }

  #complain(what: string): void {
    if (this.complaints.length < 20) this.complaints.push(`${new Date().toISOString()} ${what}`);
  }
}
