// Runs the module of Go builtins: writes a request into its memory, calls, reads the answer. The work of a call is
// bounded by a counter in the module (meter.ts). After a trap or an exit of Go's runtime the instance is put back to the
// state that it had at its start, which takes a few milliseconds where a new start would take fifty.
// Does not know what the builtins mean.

import { createWasi, WasiExit } from "../compiler/wasi.ts";
import { fromBytes } from "../value.ts";
import { type WasmMemory, type WasmModule, wasm } from "../wasm-api.ts";
import { FUEL_EXPORT, STATE_EXPORT } from "./meter.ts";

/** What a call came to, and the units of work that it took. */
export interface GoCall {
  readonly answer: GoAnswer;
  readonly units: number;
}

/** `fault`: the builtin did not come to an end; `outOfUnits` says whether it was stopped. */
export type GoAnswer =
  | { readonly kind: "undefined" }
  | { readonly kind: "value"; readonly text: string }
  | { readonly kind: "error"; readonly message: string }
  | { readonly kind: "fault"; readonly outOfUnits: boolean; readonly message: string };

interface Exports {
  readonly memory: WasmMemory;
  readonly _initialize: () => void;
  readonly room: (length: number) => number;
  readonly call: () => number;
  readonly collect: () => void;
}

interface Instance {
  readonly exports: Exports;
  readonly globals: Readonly<Record<string, { value: number | bigint }>>;
}

interface Snapshot {
  /** What is not zero, by its address. */
  readonly runs: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly memoryBytes: number;
  readonly globals: ReadonlyMap<string, number | bigint>;
}

/** Statuses of an answer; go-builtins/main.go has the same table. */
const STATUS_UNDEFINED = 0;
const STATUS_VALUE = 1;
const STATUS_ERROR = 2;
/** Enough for Go's start and for any collection. */
const UNLIMITED_UNITS = 0x7fff_ffff;
/** Calls leave some five bytes a unit, so this keeps the heap within what it has from the start. */
const UNITS_BETWEEN_COLLECTIONS = 2_000_000;
const PAGE_BYTES = 65_536;
const BLOCK_BYTES = 4_096;
const MAX_MESSAGE_CHARS = 1_000;
const MAX_RESULT_BYTES = 4 * 1024 * 1024;

/** One instance of the module, kept for all policies of the process. */
export class GoReactor {
  readonly #module: WasmModule;
  #start: Snapshot;
  #instance: Instance;
  #nowUnixNs = 0n;
  #unitsSinceCollection = 0;

  /** Instantiates and initialises. Throws when the module is not the one that this class knows. */
  constructor(module: WasmModule) {
    this.#module = module;
    this.#instance = this.#instantiate();
    this.#fuel = UNLIMITED_UNITS;
    this.#instance.exports._initialize();
    this.#start = takeSnapshot(this.#instance);
  }

  /**
   * Makes the state of now the one that faults lead back to, if memory has grown since that was taken: another size could
   * not be put back in place. For the time before requests.
   */
  settle(): void {
    if (this.memoryBytes === this.#start.memoryBytes) return;
    this.#fuel = UNLIMITED_UNITS;
    this.#instance.exports.collect();
    this.#start = takeSnapshot(this.#instance);
  }

  /** Bytes of memory that the instance has taken. */
  get memoryBytes(): number {
    return this.#instance.exports.memory.buffer.byteLength;
  }

  /**
   * Calls with a request, value text of an array: the builtin's name, then its operands. Takes at most `maxUnits` and the
   * work of one more step. Never throws for what the request holds; a result longer than 4 MiB is an error.
   */
  call(request: Uint8Array, nowUnixNs: bigint, maxUnits: number): GoCall {
    this.#nowUnixNs = nowUnixNs;
    this.#fuel = maxUnits;
    const answer = this.#run(request);
    const units = Math.min(maxUnits, maxUnits - this.#fuel);
    if (answer.kind === "fault") this.#restore();
    else this.#collect(units);
    return { answer, units };
  }

  #run(request: Uint8Array): GoAnswer {
    const { memory, room, call } = this.#instance.exports;
    try {
      const at = room(request.length) >>> 0;
      new Uint8Array(memory.buffer).set(request, at);
      const headerAt = call() >>> 0; // may make the memory grow, which gives it another buffer
      const header = new DataView(memory.buffer, headerAt, 12);
      const [status, address, length] = [0, 4, 8].map((offset) => header.getUint32(offset, true)) as [
        number,
        number,
        number,
      ];
      if (status === STATUS_UNDEFINED) return { kind: "undefined" };
      if (status === STATUS_VALUE && length > MAX_RESULT_BYTES)
        return { kind: "error", message: "the result is too long" };
      const text = fromBytes(Buffer.from(memory.buffer, address, length));
      if (status === STATUS_VALUE) return { kind: "value", text };
      const message = text.slice(0, MAX_MESSAGE_CHARS);
      return status === STATUS_ERROR ? { kind: "error", message } : { kind: "fault", outOfUnits: false, message };
    } catch (error) {
      // A trap (WebAssembly.RuntimeError), the end of the stack (RangeError) or Go's exit (WasiExit).
      return {
        kind: "fault",
        outOfUnits: this.#fuel < 0,
        message: error instanceof Error ? error.message : String(error),
      };
    }
  }

  /** What a collection does is nobody's work in particular, so it does not count. */
  #collect(units: number): void {
    this.#unitsSinceCollection += units;
    if (this.#unitsSinceCollection < UNITS_BETWEEN_COLLECTIONS) return;
    this.#unitsSinceCollection = 0;
    this.#fuel = UNLIMITED_UNITS;
    try {
      this.#instance.exports.collect();
    } catch {
      this.#restore();
    }
  }

  #restore(): void {
    const { runs, memoryBytes, globals } = this.#start;
    this.#unitsSinceCollection = 0;
    // INVARIANT: Go's allocator believes that memory ends where it ended then, so one that has grown cannot be put back.
    if (this.memoryBytes !== memoryBytes) {
      this.#instance = this.#instantiate();
      const missing = memoryBytes - this.memoryBytes;
      if (missing > 0) (this.#instance.exports.memory as GrowableMemory).grow(missing / PAGE_BYTES);
    }
    const bytes = new Uint8Array(this.#instance.exports.memory.buffer);
    bytes.fill(0);
    for (const run of runs) bytes.set(run.bytes, run.at);
    for (const [name, value] of globals) {
      const global = this.#instance.globals[name];
      if (global !== undefined) global.value = value;
    }
  }

  #instantiate(): Instance {
    const holder: { memory?: WasmMemory } = {};
    const memory = (): WasmMemory => {
      if (holder.memory === undefined) throw new WasiExit(1);
      return holder.memory;
    };
    const streams = { read: () => 0, write: () => undefined };
    const time = { unixNs: () => this.#nowUnixNs, sleep: () => undefined };
    const imports = { wasi_snapshot_preview1: createWasi(streams, memory, time) };
    const { exports } = new wasm.Instance(this.#module, imports);
    holder.memory = (exports as Exports).memory;
    return { exports: exports as Exports, globals: exports as Instance["globals"] };
  }

  get #fuel(): number {
    return Number(this.#instance.globals[FUEL_EXPORT]?.value ?? Number.NaN);
  }

  set #fuel(units: number) {
    const global = this.#instance.globals[FUEL_EXPORT];
    if (global === undefined) throw new Error("the module has no counter");
    global.value = units;
  }
}

interface GrowableMemory extends WasmMemory {
  readonly grow: (pages: number) => number;
}

function takeSnapshot({ exports, globals }: Instance): Snapshot {
  const memory = new Uint8Array(exports.memory.buffer);
  const names = Object.keys(globals).filter((name) => name.startsWith(STATE_EXPORT));
  return {
    runs: findRuns(Buffer.from(exports.memory.buffer)).map(([at, end]) => ({ at, bytes: memory.slice(at, end) })),
    memoryBytes: memory.length,
    globals: new Map(names.map((name) => [name, globals[name]?.value ?? 0])),
  };
}

/** The runs of blocks that are not all zero. */
function findRuns(memory: Buffer): (readonly [at: number, end: number])[] {
  const zeros = Buffer.alloc(BLOCK_BYTES);
  const runs: [number, number][] = [];
  for (let at = 0; at < memory.length; at += BLOCK_BYTES) {
    const end = at + BLOCK_BYTES;
    if (zeros.equals(memory.subarray(at, end))) continue;
    const last = runs.at(-1);
    if (last?.[1] === at) last[1] = end;
    else runs.push([at, end]);
  }
  return runs;
}
