// The compiler's own process: request lines on stdin, answer lines on stdout, then it ends.
// Started by compile.ts only; see there for the limits that its parent keeps.
import { readFileSync, writeSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { loadArtifact } from "./artifact.ts";
import { STATUS_NO_COMPILER } from "./child-status.ts";
import { runRequests } from "./run-requests.ts";
import { limitMemory, wasm } from "./web-assembly.ts";

const PAGE_BYTES = 65_536;
const [folder = "", maxMemoryBytes = ""] = process.argv.slice(2);

// PERF: the compiler runs for a fraction of a second, so optimising its code costs more than it gives:
// without this the first compilation takes about three times as long. Set here rather than on the command
// line, where a Node that no longer knows the flag would refuse to start.
setFlagsFromString("--liftoff-only");

const requests = splitLines(readFileSync(0));
const module = new wasm.Module(loadCompiler());
runRequests(module, requests, (line) => {
  for (let written = 0; written < line.length; ) written += writeSync(1, line, written);
});

function loadCompiler(): Uint8Array {
  try {
    return limitMemory(loadArtifact(folder), Math.floor(Number(maxMemoryBytes) / PAGE_BYTES));
  } catch (error) {
    writeSync(2, error instanceof Error ? error.message : String(error));
    process.exit(STATUS_NO_COMPILER);
  }
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
