// Starts the compiler's process, keeps it within its limits, and collects what it says.
// Knows nothing of Rego: lines in, lines out, and why it ended.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { STATUS_NO_COMPILER } from "./child-status.ts";

/** How the process ended; `detail` is for people. `ended` is also how it ends when all is well. */
export interface ChildEnd {
  readonly code: "ended" | "timeout" | "answer_too_large" | "not_started";
  readonly detail: string;
}

/** What one run of the process gave. */
export interface ChildOutput {
  readonly lines: readonly string[];
  readonly end: ChildEnd;
}

/** Limits and place of one run. */
export interface ChildOptions {
  /** The folder of the compiler's artifact. */
  readonly folder: string;
  readonly timeoutMs: number;
  readonly maxMemoryBytes: number;
}

const MAX_STDERR_BYTES = 4096;
/** All answers of one run; a module is some 100 KiB to a few MiB. */
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
/** JavaScript heap of the child: the unpacked compiler, requests and answers are outside of it for the most part. */
const MAX_HEAP_MIB = 512;

/**
 * PERF: the compiler runs for a fraction of a second, so optimising its code costs more than it gives: a small policy takes
 * 0.5 s with this flag and 1.5 s without. It counts on the command line only: newer Nodes do not heed it at run time.
 */
const BASELINE_ONLY = "--liftoff-only";
/** Node's exit status for a flag that it does not know. */
const STATUS_BAD_FLAG = 9;

/** Runs the child once on the whole of `input`. Never rejects: every way to end is in `end`. */
export async function runChild(input: string, options: ChildOptions): Promise<ChildOutput> {
  const run = await runWith([BASELINE_ONLY], input, options);
  return run.badFlag ? runWith([], input, options) : run;
}

function runWith(
  flags: readonly string[],
  input: string,
  options: ChildOptions,
): Promise<ChildOutput & { readonly badFlag: boolean }> {
  return new Promise((resolve) => {
    const script = fileURLToPath(
      new URL(import.meta.url.endsWith(".ts") ? "./child.ts" : "./child.js", import.meta.url),
    );
    // SECURITY: an empty environment. NODE_OPTIONS of the server (inspectors, loaders, heap sizes) is not for
    // the child, and neither are the server's secrets. `spawn` does not hand on our own execArgv.
    const child = spawn(
      process.execPath,
      [...flags, `--max-old-space-size=${MAX_HEAP_MIB}`, script, options.folder, String(options.maxMemoryBytes)],
      { env: {}, stdio: ["pipe", "pipe", "pipe"], windowsHide: true },
    );
    const answers: Buffer[] = [];
    let answerBytes = 0;
    let stderr = "";
    let stopped: ChildEnd | undefined;
    const stop = (end: ChildEnd) => {
      stopped ??= end;
      child.kill("SIGKILL");
    };
    const timer = setTimeout(
      () => stop({ code: "timeout", detail: `the compiler did not finish within ${options.timeoutMs} ms` }),
      options.timeoutMs,
    );
    const finish = (end: ChildEnd, badFlag = false) => {
      clearTimeout(timer);
      const lines = Buffer.concat(answers).toString("utf8").split("\n");
      lines.pop(); // what follows the last line feed is no whole line
      resolve({ lines, end: stopped ?? end, badFlag });
    };

    child.stdout.on("data", (chunk: Buffer) => {
      answerBytes += chunk.length;
      if (answerBytes > MAX_ANSWER_BYTES)
        stop({ code: "answer_too_large", detail: `the answer is larger than ${MAX_ANSWER_BYTES} bytes` });
      else answers.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (stderr.length < MAX_STDERR_BYTES) stderr = (stderr + chunk.toString("utf8")).slice(0, MAX_STDERR_BYTES);
    });
    child.once("error", (error) => finish({ code: "not_started", detail: error.message }));
    child.once("close", (status, signal) =>
      finish(
        {
          code: status === STATUS_NO_COMPILER ? "not_started" : "ended",
          detail: stderr.trim() || `the compiler's process ended with ${signal ?? `status ${status}`}`,
        },
        status === STATUS_BAD_FLAG,
      ),
    );
    child.stdin.on("error", () => undefined); // the child ended before it read everything; `close` says why
    child.stdin.end(input);
  });
}
