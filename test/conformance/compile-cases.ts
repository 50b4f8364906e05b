// Compiles cases with the embedded compiler, a few processes side by side, and hands out each module as it comes.
// Compiled modules are kept in a folder if it is there (`--cache` makes it), by a hash of compiler and request.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { nativeRequest } from "../../src/policy/builtins/index.ts";
import { type CompileRequest, compileRegoBatch, shippedCompiler } from "../../src/policy/compiler/index.ts";
import type { TestCase } from "./test-case.ts";

/** A module, or the compiler's first error. */
export type Compiled =
  | { readonly ok: true; readonly wasm: Uint8Array }
  | { readonly ok: false; readonly message: string };

/** How to compile. */
export interface CompileCasesOptions {
  /** Names of the builtins of OPA; the compiler refuses calls of others. */
  readonly builtins: readonly string[];
  /** Compile as `opa build` does, without the builtins that the host answers in place of the module's own. */
  readonly asOpaBuild: boolean;
  /** Processes side by side. */
  readonly jobs: number;
  /** Where modules are kept; they are not when undefined. */
  readonly cacheFolder: string | undefined;
}

/** Requests of one process: enough to forget its start, few enough to hold their answers in memory (0.4 MB each). */
const BATCH = 300;

/** Compiles all cases; `onCompiled` gets each once, in no certain order. Rejects when it throws. */
export async function compileCases(
  cases: readonly TestCase[],
  options: CompileCasesOptions,
  onCompiled: (testCase: TestCase, compiled: Compiled) => Promise<void>,
): Promise<void> {
  const cache = createCache(options.cacheFolder);
  const pending: { readonly testCase: TestCase; readonly request: CompileRequest }[] = [];
  for (const testCase of cases) {
    const request = toRequest(testCase, options);
    const wasm = cache.read(request);
    if (wasm === undefined) pending.push({ testCase, request });
    else await onCompiled(testCase, { ok: true, wasm });
  }
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < pending.length) {
      const batch = pending.slice(next, next + BATCH);
      next += BATCH;
      const results = await compileRegoBatch(batch.map(({ request }) => request));
      for (const [index, { testCase, request }] of batch.entries()) {
        const result = results[index];
        if (result?.ok) cache.write(request, result.value.wasm);
        await onCompiled(
          testCase,
          result?.ok ? { ok: true, wasm: result.value.wasm } : { ok: false, message: result?.detail ?? "no answer" },
        );
      }
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
}

/** The entrypoint under which the compiler plans the query of a request. */
export const QUERY_ENTRYPOINT = "eval";

/** Declared by OPA's own tests, and by our compiler for hosts that offer them. */
const TEST_BUILTINS = [
  "custom_builtin_test",
  "custom_builtin_test_impure",
  "custom_builtin_test_memoization",
  "test.sleep",
];

function toRequest(
  { suite, modules, query, experimentalKeywords }: TestCase,
  { builtins, asOpaBuild }: CompileCasesOptions,
): CompileRequest {
  const called = TEST_BUILTINS.filter((name) => [query, ...modules].some((text) => text.includes(`${name}(`)));
  const name = suite === "assets" ? "module" : "module-"; // OPA's names; errors show them
  return {
    files: modules.map((text, index) => ({ path: `${name}${index}.rego`, text })),
    entrypoints: [],
    query,
    regoVersion: suite === "v0" ? "v0" : "v1",
    builtins: [...builtins, ...called],
    ...(!asOpaBuild && nativeRequest(false)),
    ...(experimentalKeywords && { experimentalKeywords }),
  };
}

interface Cache {
  read(request: CompileRequest): Uint8Array | undefined;
  write(request: CompileRequest, wasm: Uint8Array): void;
}

function createCache(folder: string | undefined): Cache {
  if (folder === undefined) return { read: () => undefined, write: () => undefined };
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
  const compiler = shippedCompiler();
  const pathOf = (request: CompileRequest): string =>
    join(
      folder,
      `${createHash("sha256")
        .update(`${compiler}\n${JSON.stringify(request)}`)
        .digest("hex")}.deflate`,
    );
  return {
    read(request) {
      const path = pathOf(request);
      return existsSync(path) ? inflateRawSync(readFileSync(path)) : undefined;
    },
    write(request, wasm) {
      const path = pathOf(request);
      writeFileSync(`${path}.${process.pid}`, deflateRawSync(wasm, { level: 1 }));
      renameSync(`${path}.${process.pid}`, path); // so that a run that is stopped leaves no half module
    },
  };
}
