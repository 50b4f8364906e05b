// The compiler's own process: request lines on stdin, answer lines on stdout, then it ends.
// Started by child-process.ts only; see there for the limits that its parent keeps.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { loadArtifact } from "./artifact.ts";
import { STATUS_CRASHED, STATUS_NO_COMPILER } from "./child-status.ts";
import { runRequests } from "./run-requests.ts";
import { limitMemory, wasm } from "./web-assembly.ts";

const PAGE_BYTES = 65_536;
/** OPA's planner recurses once per key of an object constant: with Node's usual 1 MiB, 5,000 roles in a rule are too many. */
const STACK_MIB = 512;

/** What the thread is given. */
interface Work {
  readonly binary: Uint8Array;
  readonly requests: readonly Uint8Array[];
}

if (isMainThread) start(process.argv[2] ?? "", Number(process.argv[3]));
else compileAll(workerData as Work);

/** The main thread only reads and writes: a thread of our own is what can have a stack of our size. */
function start(folder: string, maxMemoryBytes: number): void {
  let binary: Uint8Array;
  try {
    binary = limitMemory(loadArtifact(folder), Math.floor(maxMemoryBytes / PAGE_BYTES));
  } catch (error) {
    end(STATUS_NO_COMPILER, error);
    return;
  }
  const work: Work = { binary, requests: splitLines(readFileSync(0)) };
  new Worker(fileURLToPath(import.meta.url), {
    workerData: work,
    transferList: [binary.buffer as ArrayBuffer],
    resourceLimits: { stackSizeMb: STACK_MIB },
  })
    .on("message", (line: Uint8Array) => process.stdout.write(line))
    .on("error", (error) => end(STATUS_CRASHED, error));
}

function compileAll({ binary, requests }: Work): void {
  runRequests(new wasm.Module(binary), requests, (line) => parentPort?.postMessage(line));
}

function end(status: number, error: unknown): void {
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exitCode = status;
}

/** Whole lines, each with its line feed. */
function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf("\n", from);
    if (end < 0) break;
    lines.push(bytes.subarray(from, end + 1));
    from = end + 1;
  }
  return lines;
}
