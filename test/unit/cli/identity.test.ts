import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../../src/base/package-root.ts";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { identity } from "../../../src/cli/identity.ts";
import { leaks } from "../../support/explanations.ts";
import type { CliRun } from "../../support/run-cli.ts";

const root = packageRoot();
const example = (name: string): string => join(root, "examples/identity", name);
const SVID = example("svid.pem");
const TOKEN = example("token.jwt");
const XFCC = example("xfcc.txt");
const BUNDLE = ["--trust-domain-bundle", `example.org=${example("bundle.json")}`];
const AUDIENCE = ["--jwt-audience", "spiffe://example.org/pdp"];
const THEN = ["--now", "2026-01-01T00:30:00Z"];
const PEER = ["--certificate", SVID, "--by", "spiffe://example.org/ns/edge/sa/envoy"];
const token = readFileSync(TOKEN, "utf8").trim();

const folder = mkdtempSync(join(tmpdir(), "svidgate-identity-"));
after(() => rmSync(folder, { recursive: true }));
function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** `svidgate identity` with these words. */
async function run(...words: readonly string[]): Promise<CliRun> {
  const said = { out: "", err: "" };
  const parsed = parseArguments(identity, words);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.problems.join());
  const code = await identity.run(parsed.args, {
    env: {},
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    onSignal: () => assert.fail("it waits for nothing"),
  });
  return { code, ...said };
}

interface Report {
  readonly kind: string;
  readonly verdict: string;
  readonly code?: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly checks: readonly { readonly check: string; readonly outcome: string }[];
}
async function report(...words: readonly string[]): Promise<Report> {
  const { out, err } = await run("explain", ...words, "--format", "json");
  assert.equal(err, "");
  return JSON.parse(out) as Report;
}

describe("svidgate identity explain", () => {
  it("waits for no SVID of its own, and says what the Workload API's problem is", async () => {
    const began = performance.now();
    const api = [
      "--workload-api",
      `unix://${join(folder, "nobody.sock")}`,
      "--set",
      "svidgate.tls.source=workload_api",
    ];
    const { code, err } = await run("explain", SVID, ...BUNDLE, ...THEN, ...api);
    assert.equal(code, 0, err);
    assert.match(err, /nobody\.sock/);
    assert.ok(performance.now() - began < 25_000, "a server waits 30 s");
  });

  const rows: readonly (readonly [
    name: string,
    exit: 0 | 1,
    verdict: string,
    code: string | undefined,
    words: readonly string[],
  ])[] = [
    ["a good certificate", 0, "accepted", undefined, [SVID, ...BUNDLE, ...THEN]],
    ["an expired certificate", 1, "refused", "x509_expired", [SVID, ...BUNDLE]],
    ["a certificate without bundles", 1, "incomplete", undefined, [SVID, ...THEN]],
    [
      "a certificate of another trust domain",
      1,
      "refused",
      "x509_no_bundle",
      [SVID, ...THEN, "--trust-domain-bundle", `td2.test=${example("bundle.json")}`],
    ],
    ["a good token", 0, "accepted", undefined, [TOKEN, ...BUNDLE, ...AUDIENCE, ...THEN]],
    ["an expired token", 1, "refused", "jwt_expired", [TOKEN, ...BUNDLE, ...AUDIENCE]],
    ["a token for others", 1, "refused", "jwt_aud", [TOKEN, ...BUNDLE, "--jwt-audience", "x", ...THEN]],
    ["a token without audiences", 1, "incomplete", undefined, [TOKEN, ...BUNDLE, ...THEN]],
    [
      "a Bearer token",
      0,
      "accepted",
      undefined,
      [file("bearer", `Bearer ${token}\n`), ...BUNDLE, ...AUDIENCE, ...THEN],
    ],
    ["a bound header", 0, "accepted", undefined, [XFCC, ...PEER]],
    ["a header without its peer", 1, "incomplete", undefined, [XFCC]],
    [
      "a header of another proxy",
      1,
      "ignored",
      undefined,
      [XFCC, "--certificate", SVID, "--by", "spiffe://example.org/x"],
    ],
    ["a broken header", 1, "refused", "xfcc_pair", [file("xfcc", "By=x,\n")]],
    ["a SPIFFE ID", 0, "accepted", undefined, [file("id", "spiffe://example.org/ns/shop/sa/web\n")]],
    ["a SPIFFE ID that is none", 1, "refused", "x509_spiffe_id", [file("no-id", "spiffe://example.org/a//b")]],
    [
      "a SPIFFE ID that SPIRE keeps",
      1,
      "refused",
      "spiffe_id_reserved",
      [file("spire", "spiffe://example.org/spire/server")],
    ],
    ["a token as a certificate", 1, "refused", "x509_cert_parse", [TOKEN, "--kind", "certificate"]],
    ["a certificate as a token", 1, "refused", "jwt_malformed", [SVID, "--kind", "token"]],
    ["anything as a SPIFFE ID", 1, "refused", "x509_spiffe_id", [TOKEN, "--kind", "spiffe-id"]],
    [
      "bytes that are no text",
      1,
      "refused",
      "x509_cert_parse",
      [file("bytes", Buffer.of(0xff, 0xfe, 0)), "--kind", "certificate"],
    ],
  ];
  for (const [name, exit, verdict, code, words] of rows) {
    it(`says ${code ?? verdict} to ${name}, and exits with ${exit}`, async () => {
      const told = await report(...words);
      assert.deepEqual([told.verdict, told.code], [verdict, code]);
      const { code: ended, out, err } = await run("explain", ...words);
      assert.deepEqual([ended, err], [exit, ""]);
      assert.match(
        out,
        new RegExp(`^kind: +${told.kind}\nverdict: +${verdict}\n${code === undefined ? "" : `code: +${code}\n`}`),
      );
      for (const { check, outcome } of told.checks) {
        assert.match(out, new RegExp(`^${outcome.replace("_", " ")} +\\w*${check} +\\S`, "m"));
      }
    });
  }

  it("reads the configuration: lifetime and deny list of a trust domain", async () => {
    const text = (more: string): string =>
      `svidgate:\n  identity:\n    trust_domains:\n      example.org: {bundle: "${example("bundle.json")}"${more}}\n`;
    const short = file("short.yaml", text(", max_lifetime: 30m"));
    assert.equal((await report(SVID, "-c", short, ...THEN)).code, "credential_long_lived");
    const list = file("deny.yaml", "entries:\n  - {trust_domain: example.org, reason: sold, expires: never}\n");
    const state = mkdtempSync(join(folder, "state-"));
    const denying = file("denying.yaml", `${text("")}    deny_list: "${list}"\n  state_dir: "${state}"\n`);
    assert.equal((await report(SVID, "-c", denying, ...THEN)).code, "revoked");
    assert.equal((await report(TOKEN, "-c", denying, ...AUDIENCE, ...THEN)).code, "revoked");
    assert.equal((await report(SVID, "-c", file("plain.yaml", text("")), ...THEN)).verdict, "accepted");
  });

  it("says why a source of bundles is silent, and that there is no bundle then", async () => {
    const { code, out, err } = await run(
      "explain",
      SVID,
      ...THEN,
      "--workload-api",
      `unix://${join(folder, "none.sock")}`,
    );
    assert.equal(code, 1);
    assert.match(out, /^code: +x509_no_bundle$/m);
    assert.match(err, /^svidgate: .*none\.sock/);
  });

  it("exits with 2 for wrong usage and configuration, and quotes no word that may be a credential", async () => {
    const refusals: readonly (readonly [words: readonly string[], expected: RegExp])[] = [
      [[], /expected explain; usage: svidgate identity explain \[FILE\|-\]/],
      [[token], /expected explain/],
      [["explain", token], /the file cannot be read: (ENOENT|ENAMETOOLONG); give a file or -/],
      [["explain", SVID, token], /1 words too many/],
      [["explain", SVID, "--kind", token], /--kind: not valid: expected certificate, token, xfcc, spiffe-id/],
      [["explain", SVID, "--format", token], /--format: not valid/],
      [["explain", SVID, "--now", token], /--now: not valid: expected a date/],
      [["explain", SVID, "--now", "2026-02-30T00:00:00Z"], /--now: not valid/],
      [["explain", XFCC, "--certificate", token], /--certificate: the file cannot be read/],
      [["explain", XFCC, "--certificate", TOKEN], /--certificate: not a PEM certificate: no certificate in the PEM/],
      [["explain", SVID, "--certificate", SVID], /--certificate: has no effect on a certificate/],
      [["explain", TOKEN, "--by", token], /--by: has no effect on a token/],
      [["explain", folder], /EISDIR/],
      [
        ["explain", file("what", `hello ${token.replaceAll(".", " ")}`)],
        /what this is cannot be told: name it with --kind/,
      ],
      [["explain", file("large", Buffer.alloc(256 * 1024 + 1, "a"))], /the file has more than 256 KiB/],
      [["explain", SVID, "--trust-domain-bundle", "example.org=/nowhere/bundle.json"], /\/nowhere\/bundle\.json/],
      [["explain", SVID, "-c", file("bad.yaml", "svidgate: {identity: {nonsense: 1}}\n")], /nonsense/],
    ];
    for (const [words, expected] of refusals) {
      const { code, out, err } = await run(...words);
      assert.equal(code, 2, err);
      assert.equal(out, "");
      assert.match(err, expected);
      assert.equal(leaks(err, token), undefined, err);
    }
  });

  it("reads standard input, within its bound", () => {
    const words = ["explain", ...BUNDLE, ...AUDIENCE, ...THEN];
    const script = `
      const { identity } = await import(${JSON.stringify(new URL("../../../src/cli/identity.js", import.meta.url).href)});
      const { parseArguments } = await import(${JSON.stringify(new URL("../../../src/cli/arguments.js", import.meta.url).href)});
      const write = (text) => process.stdout.write(text);
      const { args } = parseArguments(identity, ${JSON.stringify(words)});
      process.exitCode = await identity.run(args, { env: {}, out: write, err: write, onSignal() {} });`;
    const feed = (input: string | Buffer) =>
      spawnSync(process.execPath, ["--input-type=module", "-e", script], {
        input,
        encoding: "utf8",
        cwd: fileURLToPath(new URL(".", import.meta.url)),
      });
    const good = feed(`${token}\n`);
    assert.equal(good.status, 0, good.stdout + good.stderr);
    assert.match(good.stdout, /^kind: +token\nverdict: +accepted\n/);
    assert.equal(feed(readFileSync(SVID)).status, 0);
    assert.match(feed(Buffer.alloc(300_000, "a")).stdout, /standard input has more than 256 KiB/);
    assert.match(feed("").stdout, /what this is cannot be told/);
  });

  it("never writes the credential, its signature or a claim that is not listed", async () => {
    const [header = "", payload = "", signature = ""] = token.split(".");
    const body = readFileSync(SVID, "utf8")
      .replace(/-----[A-Z ]+-----/g, "")
      .replace(/\s/g, "");
    const mixed = [
      ...rows.map(([, , , , words]) => words),
      [file("swapped", `${payload}.${header}.${signature}`)],
      [file("cut", `${header}.${payload}`), "--kind", "token"],
      [file("padded", `${token}==`)],
      [
        file(
          "key",
          `${readFileSync(SVID, "utf8")}-----BEGIN PRIVATE KEY-----\n${signature}\n-----END PRIVATE KEY-----\n`,
        ),
      ],
      [file("quoted", `By=x;Cert="${token}";Chain="${body}"`)],
      [file("foreign", `By=x;${signature}=1`), "--kind", "xfcc"],
    ];
    for (const words of mixed) {
      for (const format of ["text", "json"]) {
        const { out, err } = await run("explain", ...words, "--format", format);
        for (const secret of [header, payload, signature, body]) {
          assert.equal(leaks(out + err, secret), undefined, words.join(" "));
        }
      }
    }
  });

  it("escapes what a stranger wrote for the reader's terminal", async () => {
    const words = [file("hostile", "By=x;Hash=y;URI=spiffe://x/\u001b[2J"), "--kind", "xfcc"];
    assert.equal((await report(...words)).code, "xfcc_bad_char");
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${part({ alg: "ES256", kid: "\u001b[2J\u202e" })}.${part({ sub: "\u009b1m", "\u2028": 1 })}.AA`;
    for (const format of ["text", "json"]) {
      const { out } = await run("explain", file("hostile-token", text), "--format", format);
      for (const character of "\u001b\u009b\u202e\u2028") assert.ok(!out.includes(character));
      assert.match(out, /\\u001b\[2J\\u202e/);
    }
  });
});

it("the output in the documentation is what the command says", async () => {
  const page = readFileSync(join(root, "docs/identity.md"), "utf8");
  const [, shown] = /```text\n(kind: [\s\S]*?)```/.exec(page) ?? [];
  const { out } = await run("explain", SVID, ...BUNDLE, "--now", "2026-01-01T02:00:00Z");
  assert.equal(shown, out);
});
