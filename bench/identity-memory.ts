// What remembered credentials hold: the heap after a collection, before and after checks by many distinct callers.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { toBenchRequest } from "./check-request.ts";
import { decideOnce } from "./identity-decisions.ts";
import { type BenchAuthorities, callerId, envoyText, startBenchDecider } from "./identity-world.ts";
import { table } from "./measure.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** MiB of V8's heap and of what it holds outside, after everything that can go has gone. */
async function heapMib(): Promise<number> {
  for (let at = 0; at < 3; at++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1_048_576;
}

const FLUSH_EVERY = 1000;

/** The table's text, for each of the `counts` in turn, one growing world. */
export async function benchMemory(authorities: BenchAuthorities, counts: readonly number[]): Promise<string> {
  const rows: string[][] = [];
  for (const kind of ["certificates", "tokens"] as const) {
    const decider = await startBenchDecider(authorities.trustFlags);
    const { identity } = decider.rules;
    const before = await heapMib();
    let seen = 0;
    for (const count of counts) {
      for (; seen < count; seen++) {
        const credential =
          kind === "certificates"
            ? { certificate: envoyText(authorities.svid(seen)) }
            : { authorization: `Bearer ${authorities.token(seen)}` };
        await decideOnce(decider, toBenchRequest({ principal: callerId(seen), ...credential }));
        if (seen % FLUSH_EVERY === 0) await decider.audit.flush(10_000);
      }
      await decider.audit.flush(10_000);
      const held = identity[kind]?.stats().entries ?? 0;
      rows.push([`${count} ${kind}`, String(held), ((await heapMib()) - before).toFixed(1)]);
    }
    identity.close();
  }
  return table(["distinct credentials seen", "remembered", "MiB more"], rows);
}
