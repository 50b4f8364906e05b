import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import type { CliPorts } from "../../../src/cli/command.ts";
import { CALLERS } from "../../../src/cli/demo/callers.ts";
import { SCENES } from "../../../src/cli/demo/scenes.ts";
import { runCli } from "../../../src/cli/index.ts";
import { loadConfig } from "../../../src/config/load.ts";

/** Runs `svidgate demo` with these flags, without an Envoy. */
async function runDemo(flags: readonly string[], onOut?: (interrupt: () => void) => void, env: CliPorts["env"] = {}) {
  let out = "";
  let err = "";
  const interrupts: (() => void)[] = [];
  const ports: CliPorts = {
    env,
    out: (text) => {
      out += text;
      onOut?.(() => {
        for (const interrupt of interrupts) interrupt();
      });
    },
    err: (text) => {
      err += text;
    },
    onSignal: (signal, handler) => {
      if (signal === "SIGINT") interrupts.push(handler);
    },
  };
  const code = await runCli(["demo", ...flags], ports);
  return { code, out, err };
}

// A temporary folder of this test's own, so that what is left in it was left by the demo.
const outer = tmpdir();
const temporary = mkdtempSync(join(outer, "svidgate-test-"));
process.env["TMPDIR"] = temporary;
after(() => {
  process.env["TMPDIR"] = outer;
  rmSync(temporary, { recursive: true, force: true });
});

const leftBehind = (): readonly string[] => readdirSync(temporary);

it("decides every request as expected, without an Envoy, and leaves nothing behind", async () => {
  const { code, out, err } = await runDemo(["--direct"]);
  assert.deepEqual({ code, err }, { code: 0, err: "" }, out);
  assert.equal(out.trimEnd().split("\n").at(-1), "mode: direct");
  assert.doesNotMatch(out, /WRONG|undefined|NaN/);
  const asked = SCENES.flatMap(({ requests }) => requests).filter(({ expect }) => expect.by === "decided");
  assert.ok(asked.length >= 25);
  const reasons = new Set<string>();
  for (const { caller, token, method, path, expect, note } of asked) {
    assert.ok(expect.by === "decided");
    const label = `  ${CALLERS[caller].label}${token === undefined ? "" : ", token"} `;
    const row = out
      .split("\n")
      .find((line) => line.startsWith(label) && line.includes(` ${method} ${path} `) && line.includes(note));
    const decision = `${expect.status === 200 ? "allow" : "deny "} ${expect.status}  ${expect.reason} `;
    assert.ok(row?.includes(decision), `${row} should have ${decision}`);
    reasons.add(expect.reason);
  }
  for (const reason of ["credential_long_lived", "x509_untrusted", "x509_expired", "jwt_aud", "revoked"]) {
    assert.ok(reasons.has(reason), reason);
  }
  const [, sinceChangeMs] = /revoked .* (\d+) ms after the file changed\n/.exec(out) ?? [];
  assert.ok(Number(sinceChangeMs) >= 0, "the time from the change to the deny is measured");
  const allows = asked.filter(({ expect }) => expect.by === "decided" && expect.status === 200).length;
  assert.match(out, new RegExp(`outcome="allow"\\} +${allows}\\n`));
  assert.match(out, new RegExp(`outcome="deny"\\} +${asked.length - allows}\\n`));
  assert.match(out, /outcome="error"\} +0\n/);
  assert.deepEqual(leftBehind(), []);
});

it("keeps its files with --keep and says where, in a folder of the user's alone", async () => {
  const { code, out } = await runDemo(["--direct", "--keep"]);
  const folder = / {2}(\/\S*svidgate-demo-\S+)$/m.exec(out)?.[1] ?? "";
  try {
    assert.equal(code, 0);
    assert.equal(dirname(folder), temporary);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    const events = readFileSync(join(folder, "audit.jsonl"), "utf8").trimEnd().split("\n");
    assert.ok(events.length >= 12);
    assert.ok(existsSync(join(folder, "policy.tar.gz")));
    for (const line of events) assert.doesNotMatch(line, /eyJ|BEGIN|Bearer/, "no credential is in an event");
    const subjects = events.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.ok(subjects.some((event) => event["verified_by"] === "pdp" && event["subject"] === CALLERS.web.id));
    const config = readFileSync(join(folder, "svidgate.yaml"), "utf8");
    const loaded = loadConfig({ file: join(folder, "svidgate.yaml"), flags: new Map(), set: [], env: {} });
    assert.ok(loaded.ok, config);
    assert.match(
      readFileSync(join(folder, "deny.json"), "utf8"),
      /"spiffe_id":"spiffe:\/\/example.org\/ns\/shop\/sa\/web"/,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it("stops on Ctrl-C wherever it is: exit code 130, no further word, nothing left behind", async () => {
  const { out: whole } = await runDemo(["--direct"]);
  const words = whole.split("\n").length;
  let heard = 0;
  const { code, out, err } = await runDemo(["--direct"], (interrupt) => {
    heard++;
    interrupt();
  });
  assert.deepEqual({ code, err, heard }, { code: 130, err: "", heard: 1 });
  assert.ok(out.split("\n").length < words);
  assert.deepEqual(leftBehind(), []);
});

it("refuses an Envoy that is none, by flag and by environment", async () => {
  const refused = { code: 2, out: "", err: "svidgate: /nonexistent/envoy: not an Envoy that runs here\n" };
  assert.deepEqual(await runDemo(["--envoy", "/nonexistent/envoy"]), refused);
  assert.deepEqual(await runDemo([], undefined, { ENVOY: "/nonexistent/envoy" }), refused);
});

it("asks only what the shipped policies and callers know", () => {
  for (const { policy, requests, door } of SCENES) {
    if (policy !== undefined) assert.ok(existsSync(join(packageRoot(), "policies", policy, "policy.rego")), policy);
    for (const { caller, expect, path, token } of requests) {
      const noProof = caller === "impostor" || caller === "expired" || CALLERS[caller].id === undefined;
      assert.equal(expect.by === "handshake", door === "inbound" && noProof, `${caller} ${path}`);
      assert.ok(token === undefined || door === "open", "a token without a certificate needs the open door");
    }
  }
});
