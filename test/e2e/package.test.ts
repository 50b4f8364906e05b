// What a stranger gets: `npm pack`, installed into an empty folder with `--omit=dev --ignore-scripts`, used through npx and the
// package's exports. Needs Node and npm alone.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { brotliDecompressSync } from "node:zlib";
import { packageRoot } from "../../src/base/package-root.ts";
import { decodeCheckResponse, encodeCheckRequest } from "../support/check-messages.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { type InstalledPackage, installPackage } from "../support/installed-package.ts";

const CHECK = "/envoy.service.auth.v3.Authorization/Check";
const run = promisify(execFile);
const POLICY = 'package envoy.authz\n\ndefault allow := false\n\nallow if input.parsed_path == ["ok"]\n';

let installed: InstalledPackage;
before(async () => {
  installed = await installPackage();
  await writeFile(join(installed.folder, "policy.rego"), POLICY);
});
after(() => installed.close());

/** `npx svidgate …` in the stranger's folder, with a cache folder of its own. */
const npx = async (...words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
  const env = { ...process.env, XDG_CACHE_HOME: join(installed.folder, "cache") };
  try {
    return { code: 0, ...(await run("npx", ["--no-install", "svidgate", ...words], { cwd: installed.folder, env })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
};

/** Compiles a stranger's file, the package's declarations too: `skipLibCheck` is off. */
async function compile(file: string): Promise<void> {
  const tsc = join(packageRoot(), "node_modules", "typescript", "bin", "tsc");
  assert.ok(existsSync(tsc), "TypeScript is a dev dependency");
  const types = ["--types", "node", "--typeRoots", join(packageRoot(), "node_modules", "@types")];
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--lib", "es2023"];
  await run(process.execPath, [tsc, "--ignoreConfig", ...flags, ...types, file], { cwd: installed.folder });
}

describe("the tarball", () => {
  it("holds what runs, its documents and its examples, and no tests, sources or source maps", () => {
    const paths = installed.files.map(({ path }) => path);
    for (const needed of [
      "bin/svidgate.js",
      "dist/src/main.js",
      "dist/src/policy/index.d.ts",
      "dist/src/identity/index.d.ts",
      "compiler/rego.wasm.br",
      "compiler/checksums.json",
      "go-builtins/builtins.wasm.br",
      "go-builtins/checksums.json",
      "proto/envoy/service/auth/v3/external_auth.proto",
      "envoy/sidecar.yaml",
      "examples/policy.mjs",
      "examples/identity.mjs",
      "examples/identity/svid.pem",
      "docs/configuration.md",
      "policies/README.md",
      "deploy/grafana/svidgate.json",
      "deploy/prometheus/alerts.yaml",
      "sbom.cdx.json",
      "README.md",
      "LICENSE",
      "NOTICE",
      "SECURITY.md",
      "CHANGELOG.md",
    ]) {
      assert.ok(paths.includes(needed), `${needed} is missing`);
    }
    const unwanted =
      /(^|\/)(test|(?<!^dist\/src\/policy\/)bench|shared|node_modules)\/|\.test\.|vectors|\.map$|(?<!\.d)\.ts$|\.go$|\.tgz$|(^|\/)\.(?!$)/;
    assert.deepEqual(
      paths.filter((path) => unwanted.test(path)),
      [],
    );
  });

  it("stays below 8 MB packed and 10 MB unpacked, most of it OPA's compiler and OPA's Go builtins", (t) => {
    const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
    t.diagnostic(
      `${installed.files.length} files, ${megabytes(installed.tarballBytes)} packed, ${megabytes(installed.unpackedBytes)} unpacked`,
    );
    assert.ok(installed.tarballBytes < 8e6, megabytes(installed.tarballBytes));
    assert.ok(installed.unpackedBytes < 10e6, megabytes(installed.unpackedBytes));
  });

  it("names no folder of the machine that built it", () => {
    const forbidden = [packageRoot(), homedir() === "/" ? "/root" : homedir()].map((path) => `${path}/`);
    for (const { path } of installed.files) {
      const bytes = readFileSync(join(installed.root, path));
      const text = (path.endsWith(".br") ? brotliDecompressSync(bytes) : bytes).toString("latin1");
      for (const folder of forbidden) assert.ok(!text.includes(folder), `${path} names ${folder}`);
    }
  });

  it("lets only its program be executed", () => {
    assert.deepEqual(
      installed.files.filter(({ mode }) => (mode & 0o111) !== 0).map(({ path }) => path),
      ["bin/svidgate.js"],
    );
  });
});

describe("the installation", () => {
  it("brings exactly the packages of the bill of materials", async () => {
    const bill = JSON.parse(readFileSync(join(installed.root, "sbom.cdx.json"), "utf8")) as {
      components: { name: string; version: string; purl: string }[];
    };
    const { stdout } = await run("npm", ["ls", "--all", "--parseable", "--long"], { cwd: installed.folder });
    const found = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(":")[1] ?? "")
      .filter((name) => name !== "" && !name.startsWith("svidgate@") && !name.startsWith("stranger@"));
    const known = bill.components.filter(({ purl }) => purl.startsWith("pkg:npm/"));
    const names = new Set(found.map((id) => id.slice(0, id.lastIndexOf("@"))));
    assert.deepEqual([...names].sort(), [...new Set(known.map(({ name }) => name))].sort());
  });

  it("brings no development tool", async () => {
    const names = await readdir(join(installed.folder, "node_modules"));
    assert.ok(names.includes("svidgate") && !names.includes("typescript") && !names.includes("fast-check"));
  });
});

describe("npx svidgate", () => {
  it("version names versions", async () => {
    const { code, stdout } = await npx("version");
    const { version } = JSON.parse(readFileSync(join(installed.root, "package.json"), "utf8")) as { version: string };
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^svidgate ${version}\nrego compiler `));
  });

  it("check decides one request with a Rego policy", async () => {
    const allowed = await npx("check", "--policy", "policy.rego", "--path", "/ok");
    assert.equal(allowed.code, 0, allowed.stderr);
    const denied = await npx("check", "--policy", "policy.rego", "--path", "/no");
    assert.equal(denied.code, 1, denied.stderr);
  });

  it("demo --offline plays every scene as it should", async () => {
    const { code, stdout, stderr } = await npx("demo", "--offline");
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^mode: (direct|envoy)$/m);
    assert.doesNotMatch(stdout, /WRONG/);
  });

  it("serve answers a check and ends on SIGTERM", async () => {
    const program = join(installed.folder, "node_modules", ".bin", "svidgate");
    const flags = ["--policy", "policy.rego", "--listen", "127.0.0.1:0", "--admin", "off", "--audit", "none"];
    const quick = ["--set", "svidgate.drain.lame_duck=0", "--set", "svidgate.drain.grace=1s"];
    const child = spawn(program, ["serve", ...flags, ...quick], {
      cwd: installed.folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    let log = "";
    const address = await new Promise<string>((resolve, reject) => {
      child.stderr.on("data", (chunk: Buffer) => {
        log += chunk.toString();
        const line = log.split("\n").find((text) => text.endsWith("}") && text.includes('"msg":"serving"'));
        if (line !== undefined) resolve((JSON.parse(line) as { address: string }).address);
      });
      void ended.then((code) => reject(new Error(`ended with ${code}: ${log}`)));
    });
    const peer = createGrpcPeer(address);
    const answer = async (path: string): Promise<number> => {
      const ended = await peer.call(
        CHECK,
        encodeCheckRequest({ attributes: { request: { http: { method: "GET", path } } } }),
      );
      assert.ok("bytes" in ended, JSON.stringify(ended));
      return (decodeCheckResponse(ended.bytes) as { status?: { code?: number } }).status?.code ?? 0;
    };
    assert.deepEqual([await answer("/ok"), await answer("/no")], [0, 7]);
    peer.close();
    child.kill("SIGTERM");
    assert.equal(await ended, 0, log);
  });
});

describe("the export svidgate/policy", () => {
  it("evaluates what `svidgate build` and the shipped example make of a policy", async () => {
    const built = await npx("build", "--policy", "policy.rego", "--output", "bundle.tar.gz");
    assert.equal(built.code, 0, built.stderr);
    await mkdir(join(installed.folder, "bundle"), { recursive: true });
    await run("tar", ["-xzf", "bundle.tar.gz", "-C", "bundle"], { cwd: installed.folder });
    const example = join(installed.root, "examples", "policy.mjs");
    const wasm = join(installed.folder, "bundle", "policy.wasm");
    const evaluate = async (path: string): Promise<string> =>
      (
        await run(process.execPath, [example, wasm, JSON.stringify({ parsed_path: [path] })], {
          cwd: installed.folder,
        }).catch((error: { code: number; stdout: string }) => error)
      ).stdout.trim();
    assert.equal(await evaluate("ok"), '[{"result":true}]');
    assert.equal(await evaluate("no"), '[{"result":false}]');
  });

  it("has types that a strict project accepts", async () => {
    const consumer = join(installed.folder, "consumer.ts");
    await writeFile(
      consumer,
      `import { loadPolicy, type Policy, PolicyError } from "svidgate/policy";
export const evaluate = (wasm: Uint8Array): string => {
  try {
    const policy: Policy = loadPolicy(wasm, { data: "{}" });
    return policy.evaluate("{}");
  } catch (error) {
    return error instanceof PolicyError ? error.code : "fault";
  }
};
`,
    );
    await compile(consumer);
  });
});

describe("the export svidgate/identity", () => {
  const file = (name: string): string => join(installed.root, "examples", "identity", name);

  it("verifies with the shipped example and its files", async () => {
    const example = join(installed.root, "examples", "identity.mjs");
    const words = ["example.org", file("bundle.json"), file("svid.pem"), "", "2026-01-01T00:30:00Z"];
    const { stdout } = await run(process.execPath, [example, ...words], { cwd: installed.folder });
    assert.equal(stdout, "spiffe://example.org/ns/shop/sa/web, by a path of 2 certificates\n");
  });

  it("explains what it verifies on the command line", async () => {
    const bundle = `example.org=${file("bundle.json")}`;
    const words = ["identity", "explain", file("token.jwt"), "--trust-domain-bundle", bundle];
    const { code, stdout } = await npx(...words, "--jwt-audience", "spiffe://example.org/pdp");
    assert.equal(code, 1);
    assert.match(stdout, /^code: +jwt_expired$/m);
  });

  it("has types that a strict project accepts", async () => {
    const consumer = join(installed.folder, "identity-consumer.ts");
    await writeFile(
      consumer,
      `import {
  createTrustBundleSource,
  type JwtSvid,
  type JwtSvidCode,
  parseSpiffeId,
  parseTrustBundle,
  parseXfcc,
  type Result,
  selectXfcc,
  verifyJwtSvid,
  verifyX509Svid,
  type X509SvidCode,
} from "svidgate/identity";
export async function whoCalls(der: Uint8Array, token: string, document: string, header: string): Promise<string> {
  const bundle = parseTrustBundle(document, { trustDomain: "example.org" });
  if (!bundle.ok) return bundle.code;
  const options = { bundles: createTrustBundleSource([bundle.value]), nowUnixMs: Date.now() };
  const svid = verifyX509Svid(der, options);
  if (!svid.ok) {
    const code: X509SvidCode = svid.code;
    return code;
  }
  const elements = parseXfcc(header);
  const { fingerprintSha256 } = svid.value.leaf;
  if (elements.ok) selectXfcc(elements.value, { fingerprintSha256, destinationPrincipal: "spiffe://example.org/x" });
  const verified: Result<JwtSvid, JwtSvidCode> = await verifyJwtSvid(token, { ...options, audiences: ["x"] });
  const id = parseSpiffeId(verified.ok ? verified.value.spiffeId.id : svid.value.spiffeId.id);
  return id.ok ? id.value.trustDomain : id.code;
}
`,
    );
    await compile(consumer);
  });
});

describe("the package's exports", () => {
  it("are these alone", async () => {
    const script = 'import("svidgate/dist/src/app.js").then(() => process.exit(1), (e) => console.log(e.code))';
    const { stdout } = await run(process.execPath, ["-e", script], { cwd: installed.folder });
    assert.equal(stdout.trim(), "ERR_PACKAGE_PATH_NOT_EXPORTED");
  });
});
