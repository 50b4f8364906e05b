// Reads all cases of a suite from the folder of OPA's sources.

import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { RegoObject, type Value } from "../../src/policy/value.ts";
import { parseCaseYaml } from "./case-yaml.ts";
import { CASE_FOLDERS } from "./opa-source.ts";
import { type Suite, type TestCase, toTestCase } from "./test-case.ts";

/** The cases of a suite, in the order of their files. Throws Error for a file that is not understood as a whole. */
export function loadSuite(opaSource: string, suite: Suite): readonly TestCase[] {
  const folder = join(opaSource, CASE_FOLDERS[suite]);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .flatMap((name) => readCaseFile(readFileSync(join(folder, name), "utf8"), suite, name.replaceAll("\\", "/")));
}

/** The cases of one file. */
export function readCaseFile(text: string, suite: Suite, name: string): readonly TestCase[] {
  const document = parseCaseYaml(text);
  const cases = document instanceof RegoObject ? document.get("cases") : undefined;
  if (!Array.isArray(cases)) throw new Error(`${suite}/${name}: no list of cases`);
  const folder = suite === "assets" ? basename(name, ".yaml").replace(/^\d+_/, "") : dirname(name);
  const seen = new Map<string, number>();
  return cases.map((value: Value) => {
    const note = value instanceof RegoObject ? String(value.get("note")) : "";
    const count = (seen.get(note) ?? 0) + 1;
    seen.set(note, count);
    const id = `${suite}/${name}: ${note}${count > 1 ? ` (${count})` : ""}`;
    return toTestCase(value, { id, suite, folder });
  });
}
