// The process: its arguments, environment, streams, signals and exit code. The only file that touches `process.env`.
// Faults are caught here and in `authz/decide.ts`, and nowhere else.

import { EXIT } from "./cli/command.ts";
import { runCli } from "./cli/index.ts";

// A reader that has gone (`svidgate demo | head -1`) is no fault of ours: what is left to say is not said.
process.stdout.on("error", () => undefined);

try {
  process.exitCode = await runCli(process.argv.slice(2), {
    env: process.env,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    onSignal: (signal, handler) => void process.on(signal, handler),
  });
} catch (error) {
  process.stderr.write(
    `svidgate: internal fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = EXIT.fault;
}
