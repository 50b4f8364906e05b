// The comparisons of verify.sh. `packed`: the committed file holds the recorded module. `rebuilt <folder>`: the module
// just built and packed there is the recorded one or, with another Go, answers the recorded calls alike.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

const root = join(import.meta.dirname, "..");
const built = process.env.SVIDGATE_BUILT ?? join(root, "dist");
const FAMILIES = ["graphql", "json-schema", "parse-module", "render-template", "x509", "yaml"];

const readChecksums = (folder) => JSON.parse(readFileSync(join(folder, "checksums.json"), "utf8"));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const finish = (same, sentence) => {
  (same ? process.stdout : process.stderr).write(`go-builtins: ${sentence}\n`);
  process.exitCode = same ? 0 : 1;
};

const recorded = readChecksums(import.meta.dirname);
const [mode, folder] = process.argv.slice(2);
if (mode === "packed") checkPacked();
else if (mode === "rebuilt") await checkRebuilt(readChecksums(folder));
else finish(false, "usage: verify.js packed | rebuilt <folder>");

function checkPacked() {
  const packed = readFileSync(join(import.meta.dirname, "builtins.wasm.br"));
  const same =
    sha256(packed) === recorded.brotli.sha256 && sha256(brotliDecompressSync(packed)) === recorded.wasm.sha256;
  finish(same, `builtins.wasm.br is ${same ? "" : "not "}what checksums.json records`);
}

async function checkRebuilt(rebuilt) {
  if (rebuilt.go === recorded.go) {
    const same = rebuilt.wasm.sha256 === recorded.wasm.sha256;
    const difference = `sha256 ${rebuilt.wasm.sha256}, recorded ${recorded.wasm.sha256}`;
    finish(same, `rebuilt with ${rebuilt.go}: ${same ? "the same bytes" : difference}`);
    return;
  }
  const { loadReactor } = await import(join(built, "src/policy/go-builtins/artifact.js"));
  const [ours, theirs] = [loadReactor(import.meta.dirname), loadReactor(folder)];
  const rows = FAMILIES.flatMap((name) =>
    JSON.parse(readFileSync(join(root, "test/vectors/builtins", `${name}.json`), "utf8")),
  );
  const different = rows.filter((row) => answerOf(ours, row) !== answerOf(theirs, row));
  finish(
    different.length === 0,
    `rebuilt with ${rebuilt.go}, recorded with ${recorded.go}, so bytes are not compared: ${
      different.length === 0
        ? `the same answers to ${rows.length} calls`
        : `other answers: ${different.map((row) => row.name).join(", ")}`
    }`,
  );
}

function answerOf(reactor, { builtin, args, now }) {
  const request = Buffer.from(`[${[JSON.stringify(builtin), ...args].join(", ")}]`);
  return JSON.stringify(reactor.call(request, BigInt(now ?? "1700000000123456789"), 100_000_000).answer);
}
