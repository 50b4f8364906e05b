import assert from "node:assert/strict";
import { type CompileRequest, compileRegoBatch } from "../../src/policy/compiler/index.ts";

/** A policy of a test: its source (`p.rego`), its entrypoints, and the builtins that its host has. */
export interface RegoFixture {
  readonly rego: string;
  readonly entrypoints?: readonly string[];
  readonly builtins?: readonly string[];
}

/** Compiles a test's policies in one run of the compiler; fails the test when one does not compile. */
export async function compileFixtures<Name extends string>(
  fixtures: Readonly<Record<Name, RegoFixture>>,
): Promise<Readonly<Record<Name, Uint8Array>>> {
  const names = Object.keys(fixtures) as Name[];
  const results = await compileRegoBatch(names.map((name) => toRequest(fixtures[name])));
  const modules = names.map((name, index) => {
    const result = results[index];
    assert.ok(result?.ok, `${name}: ${result === undefined ? "no result" : JSON.stringify(result)}`);
    return [name, result.value.wasm] as const;
  });
  return Object.fromEntries(modules) as Record<Name, Uint8Array>;
}

function toRequest({ rego, entrypoints = ["p/q"], builtins = [] }: RegoFixture): CompileRequest {
  return { files: [{ path: "p.rego", text: rego }], entrypoints, builtins, print: true, regoVersion: "v1" };
}
