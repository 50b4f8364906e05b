// Packs the raw module for the repository: `node pack.js <raw.wasm> <folder> <Go version> <OPA version>` gives it the
// counter of work and the limit of memory, and writes builtins.wasm.br and checksums.json into the folder. The
// counter is src/policy/go-builtins/meter.ts, taken from dist (`npm run build`) or from the folder in SVIDGATE_BUILT.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const MAX_PAGES = 2048; // 128 MiB

const [rawPath, folder, go, opa] = process.argv.slice(2);
const built = process.env.SVIDGATE_BUILT ?? join(import.meta.dirname, "../dist");
const { meterGoModule } = await import(join(built, "src/policy/go-builtins/meter.js"));
const { limitMemory } = await import(join(built, "src/policy/compiler/web-assembly.js"));

const wasm = meterGoModule(limitMemory(readFileSync(rawPath), MAX_PAGES));
const packed = brotliCompressSync(wasm, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length,
  },
});
const sumOf = (bytes) => ({ bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
writeFileSync(join(folder, "builtins.wasm.br"), packed);
writeFileSync(
  join(folder, "checksums.json"),
  `${JSON.stringify({ go, opa, wasm: sumOf(wasm), brotli: sumOf(packed) }, undefined, 2)}\n`,
);
