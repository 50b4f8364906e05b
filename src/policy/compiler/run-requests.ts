// Runs request lines through one compiler module after the other, inside the child process. A request that
// brings the compiler down gets an error answer, and the next one a new instance; nothing else suffers.

import { createWasi, WasiExit, type WasiStreams } from "./wasi.ts";
import { type WasiCommand, type WasmMemory, type WasmModule, wasm } from "./web-assembly.ts";
import type { CompileError } from "./wire.ts";

/** What of the compiler's stderr is kept for the error of the request that it failed on. */
const MAX_STDERR_BYTES = 4096;
const LINE_FEED = 0x0a;

/** Answers every request line (each with its line feed) in order with one line; `answer` gets its pieces as bytes. */
export function runRequests(
  module: WasmModule,
  requests: readonly Uint8Array[],
  answer: (line: Uint8Array) => void,
): void {
  let answered = 0;
  while (answered < requests.length) {
    const before = answered;
    const session = createSession(requests.slice(before), (line) => {
      answered++;
      answer(line);
    });
    const fault = runOnce(module, session.streams);
    if (answered < requests.length) {
      answer(Buffer.from(`${JSON.stringify({ errors: [toError(fault, session.stderr())] })}\n`));
      answered++;
    }
  }
}

/** Starts the command and returns what ended it; undefined when it returned by itself. */
function runOnce(module: WasmModule, streams: WasiStreams): unknown {
  try {
    let memory: WasmMemory | undefined;
    const imports = createWasi(streams, () => {
      if (memory === undefined) throw new Error("the compiler called out before it was started");
      return memory;
    });
    const command = new wasm.Instance(module, { wasi_snapshot_preview1: imports }).exports as WasiCommand;
    memory = command.memory;
    command._start();
    return undefined;
  } catch (error) {
    return error;
  }
}

interface Session {
  readonly streams: WasiStreams;
  stderr(): string;
}

function createSession(requests: readonly Uint8Array[], onLine: (line: Uint8Array) => void): Session {
  let next = 0;
  let rest: Uint8Array = new Uint8Array();
  let line: Uint8Array[] = [];
  const stderr: Uint8Array[] = [];
  let stderrBytes = 0;
  return {
    streams: {
      read(into) {
        if (rest.length === 0) rest = requests[next++] ?? rest;
        const length = Math.min(into.length, rest.length);
        into.set(rest.subarray(0, length));
        rest = rest.subarray(length);
        return length;
      },
      write(stream, bytes) {
        const copy = bytes.slice(); // the view is into memory that the compiler reuses
        if (stream === "stderr") {
          if (stderrBytes < MAX_STDERR_BYTES) stderr.push(copy);
          stderrBytes += copy.length;
          return;
        }
        line.push(copy);
        // JSON has no bare line feed, so one at the end of a write ends the answer.
        if (copy.at(-1) !== LINE_FEED) return;
        const whole = line;
        line = [];
        onLine(Buffer.concat(whole));
      },
    },
    stderr: () => Buffer.concat(stderr).subarray(0, MAX_STDERR_BYTES).toString("utf8"),
  };
}

function toError(fault: unknown, stderr: string): CompileError {
  // Deep nesting overflows the stack that V8 gives to WebAssembly, huge policies hit the memory limit.
  if (fault instanceof RangeError) {
    return { code: "nesting_too_deep", message: "the policy nests deeper than the compiler can follow: simplify it" };
  }
  if (/out of memory|cannot allocate memory|stack exceeds/.test(stderr)) {
    return { code: "memory_limit", message: "the policy needs more memory to compile than is allowed: split it" };
  }
  const what = fault instanceof WasiExit || fault instanceof Error ? fault.message : "the compiler ended early";
  const details = stderr.split("\n").filter((text) => text !== "");
  return { code: "internal", message: what, ...(details.length > 0 ? { details } : {}) };
}
