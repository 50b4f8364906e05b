// Runs the built tests of the named folders (unit, integration, property, e2e) with Node's own runner.
// `node test/run.js unit --watch` passes flags on; SVIDGATE_TEST_DIST names another build folder. `--libraries` runs them on the
// libraries alone that svidgate's own parts took the place of (test/support/stack.ts).
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const built = join(
  process.env.SVIDGATE_TEST_DIST ?? join(dirname(dirname(fileURLToPath(import.meta.url))), "dist"),
  "test",
);
const folders = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const onLibraries = process.argv.includes("--libraries");
const flags = process.argv.slice(2).filter((word) => word.startsWith("-") && word !== "--libraries");
const leftOut = new Set(onLibraries ? (await readOwnPartsOnly()).map((file) => `${file}.test.js`) : []);
const files = folders
  .filter((folder) => existsSync(join(built, folder)))
  .flatMap((folder) =>
    readdirSync(join(built, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".test.js") && !leftOut.has(name))
      .map((name) => join(built, folder, name)),
  )
  .sort();
if (files.length === 0) {
  process.stderr.write(`no built test under ${built} for: ${folders.join(" ")}; run \`npm run build\`\n`);
  process.exit(1);
}
// An end-to-end test that fails half-way can leave a peer's connection behind, which must not hold the whole run.
if (folders.includes("e2e")) flags.push("--test-force-exit");
// Node leaves a core free, which on two cores is half of them. End-to-end tests measure and share ports: one core stays theirs.
else flags.unshift(`--test-concurrency=${availableParallelism()}`);
const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...flags, ...files], {
  stdio: "inherit",
  env: { ...process.env, ...(onLibraries && { SVIDGATE_TEST_STACK: "libraries", SVIDGATE_TEST_LISTENER: "grpc-js" }) },
});
process.exit(run.status ?? 1);

/** The files that the libraries alone do not run; why is said in the table. */
async function readOwnPartsOnly() {
  const { OWN_PARTS_ONLY } = await import(pathToFileURL(resolve(built, "support/libraries.js")).href);
  return OWN_PARTS_ONLY.filter(({ test }) => test === undefined).map(({ file }) => file);
}
