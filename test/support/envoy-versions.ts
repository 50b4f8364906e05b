// The Envoys that wire tests compare: one of each minor version that is still in use, from the environment.

import { findEnvoy } from "../../src/cli/demo/find-envoy.ts";
import { envoysToTest, type TestedEnvoy } from "./envoy.ts";

/** An Envoy of one minor version, or why there is none. */
export interface MinorEnvoy extends TestedEnvoy {
  /** `1.40`; empty where there is no Envoy. */
  readonly minor: string;
}

const OLDER = ["1.38", "1.37", "1.36"] as const;

/** The newest and the one before (`ENVOY`, `ENVOY_OLD`), and older ones as `ENVOY_1_38`, `ENVOY_1_37`, `ENVOY_1_36`. */
export async function envoysOfEveryMinor(): Promise<readonly MinorEnvoy[]> {
  const newest = await envoysToTest();
  const without = process.env["ENVOY_OLD"]
    ? []
    : [absent("older Envoy", "set ENVOY_OLD to an Envoy one minor version older")];
  const older = await Promise.all(OLDER.map(findMinor));
  return [...newest.map(withMinor), ...without, ...older];
}

async function findMinor(minor: (typeof OLDER)[number]): Promise<MinorEnvoy> {
  const variable = `ENVOY_${minor.replace(".", "_")}`;
  const named = process.env[variable] || undefined;
  if (named === undefined) return absent(`Envoy ${minor}`, `set ${variable} to an Envoy ${minor}`);
  const found = await findEnvoy({
    named,
    env: process.env,
    cacheFolder: "",
    offline: true,
    say: () => undefined,
    onStarted: () => undefined,
  });
  if (!found.ok) return absent(`Envoy ${minor}`, found.why);
  if (!found.version.startsWith(`${minor}.`))
    return absent(`Envoy ${minor}`, `${variable} is an Envoy ${found.version}`);
  return withMinor({ name: `Envoy ${found.version}`, binary: found.binary, skip: false });
}

const absent = (name: string, skip: string): MinorEnvoy => ({ name, binary: "", skip, minor: "" });

const withMinor = (envoy: TestedEnvoy): MinorEnvoy => ({
  ...envoy,
  minor: /^Envoy (\d+\.\d+)\./.exec(envoy.name)?.[1] ?? "",
});
