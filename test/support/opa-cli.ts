// The OPA CLI that tests compare with: `opa` 1.22.2, named by OPA or found on the PATH.

import { spawnSync } from "node:child_process";

/** The program. */
export const OPA = process.env["OPA"] ?? "opa";

const VERSION = "1.22.2";

/** Why there is nothing to compare with, for the `skip` of a suite; false when there is. */
export function whyNoOpa(): string | false {
  const run = spawnSync(OPA, ["version"], { encoding: "utf8" });
  if (run.error !== undefined) return `no OPA CLI: set OPA to a binary of version ${VERSION}`;
  return run.stdout.includes(`Version: ${VERSION}`) ? false : `\`${OPA}\` is not version ${VERSION}`;
}
