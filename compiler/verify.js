// The comparisons of verify.sh. `packed`: the committed file holds the recorded module. `rebuilt <raw.wasm>
// <Go version>`: the module just built is the recorded one or, with another Go, behaves like it.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";

const folder = import.meta.dirname;
const root = join(folder, "..");
const checksums = JSON.parse(readFileSync(join(folder, "checksums.json"), "utf8"));
const sumOf = (bytes) => ({ bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
const finish = (same, sentence) => {
  (same ? process.stdout : process.stderr).write(`compiler: ${sentence}\n`);
  process.exitCode = same ? 0 : 1;
};

const [mode, rawPath, goVersion] = process.argv.slice(2);
if (mode === "packed") checkPacked();
else if (mode === "rebuilt") await checkRebuilt(readFileSync(rawPath), goVersion);
else finish(false, "usage: verify.js packed | rebuilt <raw.wasm> <Go version>");

function checkPacked() {
  const packed = readFileSync(join(folder, "rego.wasm.br"));
  const same =
    sumOf(packed).sha256 === checksums.brotli.sha256 &&
    sumOf(brotliDecompressSync(packed)).sha256 === checksums.wasm.sha256;
  finish(
    same,
    same ? "rego.wasm.br is what checksums.json records" : "rego.wasm.br is not what checksums.json records",
  );
}

async function checkRebuilt(raw, version) {
  const { sha256 } = sumOf(raw);
  if (version === checksums.go) {
    const same = sha256 === checksums.wasm.sha256;
    finish(
      same,
      `rebuilt with ${version}: ${same ? "the same bytes" : `sha256 ${sha256}, recorded ${checksums.wasm.sha256}`}`,
    );
    return;
  }
  const built = join(root, "dist/src/policy/compiler/index.js");
  if (!existsSync(built)) {
    finish(false, `rebuilt with ${version}, recorded with ${checksums.go}: run \`npm run build\` to compare behaviour`);
    return;
  }
  const { compileRegoBatch } = await import(built);
  const rebuilt = packAside(raw);
  try {
    const requests = regoFiles().map(toRequest);
    const [ours, theirs] = [await compileRegoBatch(requests), await compileRegoBatch(requests, { folder: rebuilt })];
    const different = requests.filter((_, i) => outputOf(ours[i]) !== outputOf(theirs[i])).map((r) => r.files[0].path);
    const compiled = ours.filter((result) => result.ok).length;
    finish(
      different.length === 0 && compiled > 0,
      `rebuilt with ${version}, recorded with ${checksums.go}, so bytes are not compared: ${
        different.length === 0 ? `the same output for ${compiled} policies` : `other output for ${different.join(", ")}`
      }`,
    );
  } finally {
    rmSync(rebuilt, { recursive: true });
  }
}

/** A folder that holds `raw` as the loader wants it, packed quickly. */
function packAside(raw) {
  const aside = mkdtempSync(join(tmpdir(), "rego2wasm-"));
  const packed = brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
  writeFileSync(join(aside, "rego.wasm.br"), packed);
  writeFileSync(
    join(aside, "checksums.json"),
    JSON.stringify({ ...checksums, wasm: sumOf(raw), brotli: sumOf(packed) }),
  );
  return aside;
}

function regoFiles() {
  return ["policies", "test/vectors"]
    .filter((place) => existsSync(join(root, place)))
    .flatMap((place) =>
      readdirSync(join(root, place), { recursive: true, encoding: "utf8" }).map((name) => join(root, place, name)),
    )
    .filter((path) => path.endsWith(".rego"))
    .sort();
}

/** Every file by itself, its whole package as entrypoint; what does not compile alone must fail alike. */
function toRequest(path) {
  const text = readFileSync(path, "utf8");
  const packagePath = /^package\s+([\w.]+)/m.exec(text)?.[1] ?? "main";
  return {
    files: [{ path: relative(root, path), text }],
    entrypoints: [packagePath.replaceAll(".", "/")],
    regoVersion: "v1",
    builtins: ["sprintf", "time.now_ns", "io.jwt.decode", "io.jwt.decode_verify", "urlquery.decode"],
  };
}

function outputOf(result) {
  return JSON.stringify(
    result.ok ? [sumOf(result.value.wasm), result.value.plan, result.value.manifest] : result.errors,
  );
}
