// `npm run bench -- [--rounds N] [--seconds N]`: what the listeners cost, then the real decision on them.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

for (const program of ["listener", "grpc"]) {
  const file = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
  const run = spawnSync(process.execPath, [file, ...process.argv.slice(2)], { stdio: "inherit" });
  if (run.status !== 0) process.exit(run.status ?? 1);
}
process.stderr.write("more: npm run bench:envoy, bench:identity, bench:policy, soak\n");
