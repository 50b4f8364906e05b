// Not a test: a process that floods its standard error, for stderr.test.ts. Says on stdout how much waits in memory.
import { writeStderr } from "../../../src/telemetry/stderr.ts";

for (let i = 0; i < 50_000; i++) writeStderr(`{"line":${i},"fill":"${"x".repeat(100)}"}\n`);
process.stdout.write(JSON.stringify({ waitingBytes: process.stderr.writableLength }));
process.stderr.write("", () => {
  writeStderr('{"last":true}\n');
});
