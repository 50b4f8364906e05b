// Packs the raw module for the repository: `node pack.js <raw.wasm> <Go version> <OPA version>` writes
// rego.wasm.br and checksums.json beside this file. Called by build.sh.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

const [rawPath, go, opa] = process.argv.slice(2);
const folder = import.meta.dirname;
const raw = readFileSync(rawPath);
const packed = brotliCompressSync(raw, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
  },
});
const sumOf = (bytes) => ({ bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
writeFileSync(join(folder, "rego.wasm.br"), packed);
writeFileSync(
  join(folder, "checksums.json"),
  `${JSON.stringify({ go, opa, wasm: sumOf(raw), brotli: sumOf(packed) }, undefined, 2)}\n`,
);
