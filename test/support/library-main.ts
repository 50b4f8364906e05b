// `svidgate` as `src/main.ts` starts it, with CheckRequests read by @grpc/proto-loader. Listener and engine come by environment
// variable (`stack.ts`).

import { EXIT } from "../../src/cli/command.ts";
import { runCli } from "../../src/cli/index.ts";
import { readByProtoLoader } from "./proto-loader-request.ts";

process.stdout.on("error", () => undefined);

try {
  process.exitCode = await runCli(process.argv.slice(2), {
    env: process.env,
    readRequest: readByProtoLoader,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    onSignal: (signal, handler) => void process.on(signal, handler),
  });
} catch (error) {
  process.stderr.write(`svidgate: internal fault: ${String(error)}\n`);
  process.exitCode = EXIT.fault;
}
