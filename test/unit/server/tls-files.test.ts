import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { loadTlsMaterial, type TlsFiles } from "../../../src/server/tls-files.ts";
import { createTestAuthority } from "../../support/ca.ts";
import { makeFolder } from "../../support/open-check-server.ts";

const authority = await createTestAuthority();
const ID = "spiffe://example.org/ns/authz/sa/svidgate";
const [leaf, another] = await Promise.all([authority.svid("/ns/authz/sa/svidgate"), authority.svid("/x")]);
const now = Date.now();
const HOUR_MS = 3_600_000;

/** Contents by file; `changes` replace what is right. */
const load = (
  t: TestContext,
  changes: Readonly<Record<string, string>> = {},
  more: Partial<TlsFiles> = {},
  at = now,
) => {
  const folder = makeFolder(t);
  const contents = {
    "cert.pem": leaf.certificatePem,
    "key.pem": leaf.privateKeyPem,
    "ca.pem": authority.certificatePem,
    ...changes,
  };
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(folder, name), text);
  const path = (name: string): string => join(folder, name);
  return loadTlsMaterial(
    {
      certificate: path("cert.pem"),
      privateKey: path("key.pem"),
      clientCa: path("ca.pem"),
      clientSpiffeIds: ["spiffe://example.org/ns/edge/sa/envoy"],
      minVersion: "1.2",
      ...more,
    },
    at,
  );
};

describe("loadTlsMaterial", () => {
  it("reads what belongs together, and tells of the certificate", async (t) => {
    const loaded = await load(t);
    assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.join("\n"));
    assert.deepEqual(loaded.warnings, []);
    const { material } = loaded;
    assert.equal(material.leaf.spiffeId, ID);
    assert.match(material.leaf.sha256, /^[0-9a-f]{64}$/);
    assert.equal(material.minVersion, "TLSv1.2");
    assert.deepEqual(material.clientSpiffeIds, new Set(["spiffe://example.org/ns/edge/sa/envoy"]));
  });

  const encrypted = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" },
  }).privateKey;
  const half = leaf.certificatePem.slice(0, leaf.certificatePem.length / 2);
  const rows: readonly (readonly [
    name: string,
    changes: Readonly<Record<string, string>>,
    more: Partial<TlsFiles>,
    problem: RegExp,
  ])[] = [
    [
      "a missing certificate",
      {},
      { certificate: "/none/c.pem" },
      /^svidgate\.tls\.certificate: cannot read `\/none\/c\.pem`: there is no such file/,
    ],
    ["a missing key", {}, { privateKey: "/none/k.pem" }, /^svidgate\.tls\.private_key: cannot read/],
    ["a missing CA", {}, { clientCa: "/none/ca.pem" }, /^svidgate\.tls\.client_ca: cannot read/],
    ["an empty certificate file", { "cert.pem": "" }, {}, /holds no whole PEM certificate/],
    ["half a certificate", { "cert.pem": half }, {}, /holds no whole PEM certificate/],
    ["half an intermediate", { "cert.pem": leaf.certificatePem + half }, {}, /ends in the middle of a certificate/],
    [
      "PEM that is no certificate",
      { "cert.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" },
      {},
      /a PEM block that is no certificate/,
    ],
    ["a huge file", { "cert.pem": "x".repeat(1024 * 1024 + 1) }, {}, /has 1048577 bytes/],
    ["an empty key file", { "key.pem": "" }, {}, /holds no whole PEM private key/],
    ["an encrypted key", { "key.pem": encrypted }, {}, /is encrypted: write it without a passphrase/],
    [
      "the key of another certificate",
      { "key.pem": another.privateKeyPem },
      {},
      /is not the key of .*: write both from one renewal/,
    ],
    ["a client's certificate as CA", { "ca.pem": another.certificatePem }, {}, /which is no authority/],
    [
      "a pattern among the IDs",
      {},
      { clientSpiffeIds: ["spiffe://example.org/ns/*"] },
      /`spiffe:\/\/example\.org\/ns\/\*` is no SPIFFE ID \(path_char\): IDs are exact/,
    ],
    ["a trust domain among the IDs", {}, { clientSpiffeIds: ["spiffe://example.org"] }, /names a trust domain/],
  ];
  for (const [name, changes, more, problem] of rows) {
    it(`refuses ${name}, and says what to do`, async (t) => {
      const loaded = await load(t, changes, more);
      assert.ok(!loaded.ok);
      assert.equal(loaded.problems.length, 1, loaded.problems.join("\n"));
      assert.match(loaded.problems[0] ?? "", problem);
      assert.doesNotMatch(loaded.problems.join(), /PRIVATE KEY-----/);
    });
  }

  it("reads links that were swapped, and refuses what is no file", async (t) => {
    const folder = makeFolder(t);
    for (const [version, own] of [
      ["1", leaf],
      ["2", another],
    ] as const) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, "c.pem"), own.certificatePem);
      writeFileSync(join(folder, version, "k.pem"), own.privateKeyPem);
    }
    const files = { certificate: join(folder, "..data", "c.pem"), privateKey: join(folder, "..data", "k.pem") };
    const serials: string[] = [];
    for (const version of ["1", "2"]) {
      rmSync(join(folder, "..data"), { force: true });
      symlinkSync(version, join(folder, "..data"));
      const loaded = await loadTlsMaterial({ ...files, clientSpiffeIds: [], minVersion: "1.3" }, now);
      assert.ok(loaded.ok);
      serials.push(loaded.material.leaf.serial);
    }
    assert.equal(new Set(serials).size, 2);
    const none = await load(t, {}, { certificate: folder });
    assert.ok(!none.ok && /is no regular file$/.test(none.problems[0] ?? ""), none.ok ? "" : none.problems.join());
  });

  it("has clients proven by bundles where they are listed without authorities", async (t) => {
    const proof = async (more: Partial<TlsFiles>): Promise<string> => {
      const loaded = await load(t, {}, more);
      return loaded.ok ? loaded.material.clientProof : loaded.problems.join();
    };
    assert.equal(await proof({}), "client_ca");
    assert.equal(await proof({ clientCa: undefined }), "bundles");
    assert.equal(await proof({ clientCa: undefined, clientSpiffeIds: [] }), "none");
    assert.match(await proof({ clientCa: undefined, clientSpiffeIds: ["x"] }), /`x` is no SPIFFE ID/);
  });

  it("tells every problem at once", async (t) => {
    const loaded = await load(t, { "key.pem": "", "ca.pem": "" }, { certificate: "/none", clientSpiffeIds: ["x"] });
    assert.equal(loaded.ok ? 0 : loaded.problems.length, 4);
  });

  it("refuses what has expired or has not begun, and warns in the last tenth of a life", async (t) => {
    const expired = await load(t, {}, {}, now + 2 * HOUR_MS);
    assert.ok(!expired.ok);
    assert.match(expired.problems[0] ?? "", /certificate: .* has expired on \d{4}-.*Z: renew it/);
    assert.match(expired.problems[1] ?? "", /client_ca: .* has expired: nobody could ask/);
    const early = await load(t, {}, {}, now - 2 * HOUR_MS);
    assert.ok(!early.ok && /is not valid before/.test(early.problems[0] ?? ""));
    const late = await load(t, {}, {}, now + 0.95 * HOUR_MS);
    assert.ok(late.ok && /expires on .* and should have been renewed/.test(late.warnings[0] ?? ""));
  });

  it("warns of one expired authority among several", async (t) => {
    const { createAuthority } = await import("../../../src/base/x509.ts");
    const old = await createAuthority({
      uri: "spiffe://example.org",
      notBeforeUnixMs: now - 3 * HOUR_MS,
      notAfterUnixMs: now - HOUR_MS,
    });
    const loaded = await load(t, { "ca.pem": authority.certificatePem + old.certificatePem });
    assert.ok(loaded.ok && /which has expired$/.test(loaded.warnings[0] ?? ""));
  });
});
