// Every command in the documents and in `--help`, run as it stands in a folder with the shipped files: what a reader copies works.
// Servers are started until they serve, and stopped. What cannot run here is listed with the reason, and the list may not be stale.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { encodeCheckRequest } from "../support/check-messages.ts";
import { documentedCommands, documentedFiles, firstBlock } from "../support/documented-commands.ts";
import { type Serving, startServing } from "../support/serve-process.ts";
import { MAIN, STACK_ENVIRONMENT } from "../support/stack.ts";

/** Commands that are run by something else, or not at all; each pattern must still match a command. */
const ELSEWHERE: readonly { readonly command: RegExp; readonly why: string }[] = [
  { command: /^npm ci && npm (run demo|test)$/, why: "CI begins with them" },
  { command: /^envoy /, why: "needs Envoy: test/e2e validates and runs these configurations" },
  {
    command: /^svidgate demo( --envoy \S+ --keep)?$/,
    why: "may install Envoy: test/e2e runs the demo with a real one",
  },
];

const SERVING = /"msg":"serving"/;
const WATCHING = /watching for changes/;

/** `svidgate check` and `svidgate migrate check` answer no with 1, and a document may ask them for a no. */
const answers = (command: string): readonly number[] => (/\bsvidgate (migrate )?check\b/.test(command) ? [0, 1] : [0]);

const REQUEST = {
  attributes: {
    source: { principal: "spiffe://example.org/ns/shop/sa/web" },
    destination: { principal: "spiffe://example.org/ns/shop/sa/orders" },
    request: { http: { method: "GET", path: "/orders/7", host: "orders", headers: { accept: "*/*" } } },
  },
};
const SHIPPED = ["policies", "envoy", "examples", "docs", "deploy", "capabilities.json", "package.json"];

/** What the plugin's users start from. */
const QUICK_START = `plugins:
  envoy_ext_authz_grpc:
    addr: :9191
    path: envoy/authz/allow
decision_logs:
  console: true
`;

let folder = "";
/** Another ext_authz server, for commands that ask one. */
let other: Serving | undefined;
const inFolder = (name: string): string => join(folder, name);
/** Paths and ports of a machine become those of this test. */
const relocate = (text: string): string =>
  text
    .replaceAll("/run/svidgate", inFolder("run"))
    .replaceAll("/var/log/svidgate", inFolder("log"))
    .replaceAll("/etc/svidgate/policy", inFolder("policies/service-allow-list"))
    .replaceAll("/etc/svidgate", inFolder("etc"))
    .replace(/:(9191|8282)\b/g, ":0");

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "svidgate-docs-"));
  for (const name of SHIPPED) await cp(join(packageRoot(), name), inFolder(name), { recursive: true, force: true });
  for (const name of ["bin", "run", "log", "etc"]) await mkdir(inFolder(name));
  await writeFile(inFolder("bin/svidgate"), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  await chmod(inFolder("bin/svidgate"), 0o755);
  await writeFile(inFolder("policy.rego"), firstBlock("README.md", "rego"));
  await writeFile(inFolder("roles.json"), '{"roles": {"web": ["reader"]}}');
  await writeFile(inFolder("data.json"), "{}");
  await writeFile(inFolder("request.json"), JSON.stringify(REQUEST));
  await writeFile(inFolder("input.json"), JSON.stringify({ ...REQUEST, parsed_path: ["orders", "7"] }));
  await writeFile(inFolder("recorded-check-request.bin"), encodeCheckRequest(REQUEST));
  await writeFile(inFolder("recorded.bin"), encodeCheckRequest(REQUEST));
  const row = { name: "orders", request: Buffer.from(encodeCheckRequest(REQUEST)).toString("base64") };
  await writeFile(inFolder("traffic.jsonl"), `${JSON.stringify(row)}\n`);
  await writeFile(inFolder("opa.yaml"), QUICK_START);
  other = await startServing(["--policy", inFolder("policies/service-allow-list"), "--audit", "none"]);
  const built = await shell("svidgate build --policy policies/service-allow-list --output bundle.tar.gz");
  assert.equal(built.code, 0, built.err);
});
after(async () => {
  await other?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs one line in a shell. `until` is what a server says when it runs; it is then asked to stop. */
async function shell(line: string, until?: RegExp): Promise<Ended> {
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SVIDGATE_"))),
    PATH: [inFolder("bin"), dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter),
    ...STACK_ENVIRONMENT,
    SVIDGATE_DRAIN__LAME_DUCK: "0",
    XDG_CACHE_HOME: inFolder("cache"),
  };
  // `exec`, so that a server gets the signal itself.
  const words = until === undefined ? line : `exec ${line}`;
  const child = spawn("sh", ["-c", words], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  let out = "";
  let err = "";
  let told = false;
  const look = (): void => {
    if (told || until?.test(out + err) !== true) return;
    told = true;
    // What watches is ended with Ctrl-C, what serves as its supervisor ends it.
    child.kill(until === WATCHING ? "SIGINT" : "SIGTERM");
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    look();
  });
  return { code: await ended, out, err };
}

/** A server's own ports, where the command names none. */
function withFreePorts(command: string): string {
  if (/\bsvidgate compare\b/.test(command)) {
    return command.replace(/--(against|target) \S+/g, (_, flag: string) => `--${flag} ${other?.address ?? ""}`);
  }
  if (!/\bsvidgate serve\b/.test(command)) return command;
  const hasFile = /\s(-c|--config)[ =]/.test(command);
  const listen = hasFile || /--listen\b|grpc\.addr=/.test(command) ? "" : " --listen 127.0.0.1:0";
  return `${command}${listen}${/--admin\b/.test(command) ? "" : " --admin 127.0.0.1:0"}`;
}

/** What a command says when it has come up, for those that do not end by themselves. */
const upWhen = (command: string): RegExp | undefined =>
  /\bsvidgate serve\b/.test(command) ? SERVING : /--watch\b/.test(command) ? WATCHING : undefined;

const found = documentedCommands();
const here = found.filter(({ command }) => !ELSEWHERE.some((entry) => entry.command.test(command)));

for (const document of [...new Set(here.map((entry) => entry.document))]) {
  describe(document, () => {
    before(async () => {
      for (const file of documentedFiles().filter((entry) => entry.document === document)) {
        await writeFile(inFolder(file.name), relocate(file.content));
      }
    });
    const seen = new Set<string>();
    for (const { command, exit } of here.filter((entry) => entry.document === document)) {
      if (seen.has(command)) continue;
      seen.add(command);
      it(`\`${command}\` works`, async () => {
        const until = upWhen(command);
        const { code, out, err } = await shell(withFreePorts(relocate(command)), until);
        const wanted = exit === undefined ? answers(command) : [exit];
        assert.ok(wanted.includes(code ?? -1), `exit ${code}\n${out.slice(-2_000)}\n${err.slice(-2_000)}`);
        if (until !== undefined) assert.match(out + err, until);
      });
    }
  });
}

describe("the documents", () => {
  it("show commands of every kind that users need", () => {
    for (const name of [
      "serve",
      "build",
      "check",
      "test",
      "eval",
      "bench",
      "identity",
      "migrate",
      "compare",
      "demo",
      "version",
    ]) {
      assert.ok(
        found.some(({ command }) => command.startsWith(`svidgate ${name}`)),
        `no document shows svidgate ${name}`,
      );
    }
  });

  it("show no command but those that ran here or are run elsewhere, and the list of those is not stale", () => {
    for (const { command, why } of ELSEWHERE) {
      assert.ok(
        found.some((entry) => command.test(entry.command)),
        `no document shows ${command} any more (${why})`,
      );
    }
    assert.ok(here.length >= 10);
  });

  it("leave nothing but their outputs in the reader's folder", async () => {
    const names = await readdir(folder);
    assert.ok(!names.some((name) => name.endsWith(".sock")));
    assert.equal((await readFile(inFolder("policy.rego"), "utf8")).startsWith("package "), true);
  });
});
