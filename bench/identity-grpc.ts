// The whole of it over gRPC: svidgate as a process on one core, a load of its own on another, checks by nobody in particular,
// by certificates and by tokens, one caller and a thousand.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toBenchRequest, toGrpcMessage } from "./check-request.ts";
import { type BenchAuthorities, callerId, envoyText, POLICY } from "./identity-world.ts";
import { spread, table } from "./measure.ts";
import { runFrameLoad } from "./run-frame-load.ts";
import { startServer } from "./servers.ts";

const MAIN = fileURLToPath(new URL("../src/main.js", import.meta.url));
const SERVER_CORE = 0;
const LOAD_CORE = 1;
const FIRST_PORT = 19_311;
const CONNECTIONS = 8;
/** Checks, until V8 has compiled what they need. */
const WARM_UP = 6000;

interface Variant {
  readonly name: string;
  readonly flags: readonly string[];
  /** A file of gRPC messages. */
  readonly bodies: string;
  readonly callers: number;
}

function variantsOf({ svid, token, trustFlags }: BenchAuthorities, folder: string): readonly Variant[] {
  const variant = (
    name: string,
    flags: readonly string[],
    callers: number,
    credentials: (n: number) => Parameters<typeof toBenchRequest>[0],
  ): Variant => {
    const bodies = join(folder, `${name}.bin`);
    const messages = Array.from({ length: callers }, (_, n) =>
      toGrpcMessage(toBenchRequest({ principal: callerId(n), ...credentials(n) })),
    );
    writeFileSync(bodies, Buffer.concat(messages));
    return { name, flags, bodies, callers };
  };
  const certificate = (n: number) => ({ certificate: envoyText(svid(n)) });
  const authorization = (n: number) => ({ authorization: `Bearer ${token(n)}` });
  return [
    variant("no credentials, no trust bundles", [], 1, () => ({})),
    variant("certificate, no trust bundles", [], 1, certificate),
    variant("certificate, 1 caller", trustFlags, 1, certificate),
    variant("certificates, 1,000 callers", trustFlags, 1000, certificate),
    variant("token, no trust bundles", [], 1, authorization),
    variant("token, 1 caller", trustFlags, 1, authorization),
    variant("tokens, 1,000 callers", trustFlags, 1000, authorization),
  ];
}

async function measure(variant: Variant, port: number, folder: string, requests: number) {
  const { name, flags, bodies, callers } = variant;
  const audit = `file:${join(folder, "audit.jsonl")}`;
  const words = ["--policy", POLICY, "--listen", `127.0.0.1:${port}`, "--admin", "off", "--audit", audit];
  const args = [MAIN, "serve", ...words, "--set", "svidgate.drain.lame_duck=0", ...flags];
  const server = await startServer({ name, command: process.execPath, args, port, core: SERVER_CORE });
  try {
    // One connection first: more tokens at once than may be verified at once would be refused.
    const load = { port, bodies, core: LOAD_CORE, pid: server.pid };
    runFrameLoad({ ...load, checks: callers, connections: 1 });
    runFrameLoad({ ...load, checks: WARM_UP, connections: CONNECTIONS });
    const figures = runFrameLoad({ ...load, checks: requests, connections: CONNECTIONS });
    if (figures.notAllowed > 0) throw new Error(`${name}: ${figures.notAllowed} checks were not allowed`);
    return { checksPerSecond: figures.checksPerSecond, cpuUs: figures.serverCpuUs, rssMib: server.rssMib() };
  } finally {
    await server.stop();
  }
}

/** The table's text. */
export async function benchGrpc(
  authorities: BenchAuthorities,
  folder: string,
  rounds: number,
  requests: number,
): Promise<string> {
  const variants = variantsOf(authorities, folder);
  const results = variants.map(() => ({ rates: [] as number[], cpuUs: [] as number[], rssMib: [] as number[] }));
  for (let round = 1; round <= rounds; round++) {
    for (const [index, variant] of variants.entries()) {
      process.stderr.write(`round ${round}/${rounds}: ${variant.name}\n`);
      const { checksPerSecond, cpuUs, rssMib } = await measure(variant, FIRST_PORT + index, folder, requests);
      results[index]?.rates.push(checksPerSecond);
      results[index]?.cpuUs.push(cpuUs);
      results[index]?.rssMib.push(rssMib);
    }
  }
  return table(
    ["over gRPC, one core, audit to a file", "checks/s", "CPU of a check, µs", "RSS MiB"],
    variants.map(({ name }, index) => {
      const { rates = [], cpuUs = [], rssMib = [] } = results[index] ?? {};
      return [name, spread(rates, 0), spread(cpuUs, 0), spread(rssMib, 0)];
    }),
  );
}
