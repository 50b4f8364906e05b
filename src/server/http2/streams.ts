// The streams of one connection: those that are open, and as much of the closed ones as the rules ask for. SPEC: RFC 9113 §5.1,
// §5.1.1. SECURITY: a closed stream leaves four octets in a ring of fixed size, so memory does not grow with a connection's age.

import type { ServerStream } from "./server-stream.ts";

const RECENT = 128;

/** How an identifier that no open stream has came to be closed. "forgotten": long ago, or it was passed over. */
export type ClosedStream = "completed" | "reset" | "forgotten";

/** Open streams by identifier, in the order in which they came. */
export class Streams {
  /** The largest identifier that the peer has used. */
  highestId = 0;
  openCount = 0;
  #lastId: number | undefined;
  /** PERF: most requests come and are answered one after the other: the newest stream never enters the map. */
  #newest: ServerStream | undefined;
  readonly #older = new Map<number, ServerStream>();
  /** Identifiers closed last; negative for those that were reset by us. */
  readonly #recent = new Int32Array(RECENT);
  #recentAt = 0;

  /** SPEC: RFC 9113 §6.8: what GOAWAY names, and never a larger one later: the last stream before `admitNoMore`. */
  get lastId(): number {
    return this.#lastId ?? this.highestId;
  }

  admitNoMore(): void {
    this.#lastId = this.highestId;
  }

  get(id: number): ServerStream | undefined {
    const newest = this.#newest;
    if (newest !== undefined && newest.id === id) return newest;
    return this.#older.size === 0 ? undefined : this.#older.get(id);
  }

  /** Opens a stream whose identifier is above all before. */
  add(stream: ServerStream): void {
    const newest = this.#newest;
    if (newest !== undefined) this.#older.set(newest.id, newest);
    this.#newest = stream;
    this.highestId = stream.id;
    this.openCount++;
  }

  /** Closes an open stream. `byUs`: with RST_STREAM, so that what the peer has sent meanwhile is to be borne. */
  remove(stream: ServerStream, byUs: boolean): void {
    if (stream === this.#newest) this.#newest = undefined;
    else this.#older.delete(stream.id);
    this.openCount--;
    this.remember(stream.id, byUs);
  }

  /** Notes the identifier of a stream that is closed, or was never opened. */
  remember(id: number, byUs: boolean): void {
    if (id > this.highestId) this.highestId = id;
    this.#recent[this.#recentAt] = byUs ? -id : id;
    this.#recentAt = (this.#recentAt + 1) % RECENT;
  }

  /** For an identifier up to the highest that no open stream has. */
  closed(id: number): ClosedStream {
    if (this.#recent.includes(-id)) return "reset";
    return this.#recent.includes(id) ? "completed" : "forgotten";
  }

  /** The open streams now, oldest first. */
  list(): ServerStream[] {
    const streams = [...this.#older.values()];
    if (this.#newest !== undefined) streams.push(this.#newest);
    return streams;
  }
}
