import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import type { IssuedCertificate } from "../../../src/base/x509.ts";
import type { OwnSvid } from "../../../src/identity/sources/own-svid.ts";
import type { ClientRules } from "../../../src/server/tls-client-rules.ts";
import { isSameMaterial, type LoadedTls, toTlsMaterial } from "../../../src/server/tls-material.ts";
import { createTestAuthority } from "../../support/ca.ts";

const ID = "spiffe://example.org/ns/authz/sa/svidgate";
const HOUR_MS = 3_600_000;
const now = Date.now();
const authority = await createTestAuthority();
const [leaf, another] = await Promise.all([
  authority.svid("/ns/authz/sa/svidgate"),
  authority.svid("/ns/authz/sa/svidgate"),
]);

const svidOf = ({ certificatePem, privateKeyPem }: IssuedCertificate): OwnSvid => ({
  spiffeId: ID,
  certificateChain: [new X509Certificate(certificatePem).raw],
  privateKeyPkcs8: createPrivateKey(privateKeyPem).export({ format: "der", type: "pkcs8" }),
  notBeforeUnixMs: now - HOUR_MS,
  notAfterUnixMs: now + HOUR_MS,
});
const svid = svidOf(leaf);
const rules: ClientRules = { clientSpiffeIds: ["spiffe://example.org/ns/edge/sa/envoy"], minVersion: "1.2" };
const check = (own: OwnSvid, clients = rules, at = now): LoadedTls =>
  toTlsMaterial(own, clients, at, { problems: [], warnings: [] });
const materialOf = (own: OwnSvid, clients = rules): Extract<LoadedTls, { ok: true }>["material"] => {
  const checked = check(own, clients);
  assert.ok(checked.ok, checked.ok ? "" : checked.problems.join("\n"));
  return checked.material;
};

describe("material of the Workload API's SVID", () => {
  it("is what files would be", () => {
    const material = materialOf(svid);
    assert.equal(material.leaf.spiffeId, ID);
    assert.equal(material.clientProof, "bundles");
    assert.equal(new X509Certificate(material.certificatePem).serialNumber, material.leaf.serial);
  });

  const cut = svid.certificateChain.map((der) => der.subarray(0, 100));
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  const rows: readonly (readonly [name: string, own: OwnSvid, at: number, problem: RegExp])[] = [
    [
      "an expired certificate",
      svid,
      now + 2 * HOUR_MS,
      /^svidgate\.tls\.source: the Workload API's SVID .* has expired/,
    ],
    ["one that has not begun", svid, now - 2 * HOUR_MS, /is not valid before/],
    ["another one's key", { ...svid, privateKeyPkcs8: svidOf(another).privateKeyPkcs8 }, now, /is not the key of/],
    ["no certificate", { ...svid, certificateChain: [] }, now, /holds no whole PEM certificate/],
    ["half a certificate", { ...svid, certificateChain: cut }, now, /holds a PEM block that is no certificate/],
    ["a key that is none", { ...svid, privateKeyPkcs8: Buffer.from("key") }, now, /holds no whole PEM private key/],
    [
      "a weak key of another certificate",
      { ...svid, privateKeyPkcs8: weak.export({ format: "der", type: "pkcs8" }) },
      now,
      /is not the key of/,
    ],
    [
      "another ID than it says",
      { ...svid, spiffeId: `${ID}2` },
      now,
      /holds a certificate of `spiffe:\/\/.*svidgate`$/,
    ],
  ];
  for (const [name, own, at, problem] of rows) {
    it(`is refused with ${name}`, () => {
      const checked = check(own, rules, at);
      assert.ok(!checked.ok);
      assert.match(checked.problems[0] ?? "", problem);
      assert.doesNotMatch(checked.problems.join(), /PRIVATE KEY-----/);
    });
  }

  it("is told about in the last tenth of its life", () => {
    const checked = check(svid, rules, now + HOUR_MS - 60_000);
    assert.ok(checked.ok && /should have been renewed$/.test(checked.warnings[0] ?? ""));
  });

  it("is not shown with its key, however it is printed", () => {
    const material = materialOf(svid);
    const secret = leaf.privateKeyPem.split("\n")[1] ?? "";
    assert.equal(material.privateKey.reveal().replaceAll("\n", "").includes(secret.slice(0, 40)), true);
    for (const text of [
      JSON.stringify(material),
      inspect(material, { depth: 9, showHidden: true }),
      `${material.privateKey}`,
      JSON.stringify({ ...material }),
      JSON.stringify(Object.entries(material.privateKey)),
    ]) {
      assert.equal(text.includes(secret.slice(0, 40)), false, text);
    }
  });
});

describe("isSameMaterial", () => {
  it("is what another handshake would not notice", () => {
    const material = materialOf(svid);
    assert.equal(isSameMaterial(material, materialOf(svid)), true);
    const others = [
      materialOf(svidOf(another)),
      materialOf(svid, { ...rules, minVersion: "1.3" }),
      materialOf(svid, { ...rules, clientSpiffeIds: [] }),
      materialOf(svid, { ...rules, clientSpiffeIds: [ID] }),
      materialOf(svid, { ...rules, clientCa: { name: "ca", text: authority.certificatePem } }),
      { ...material, certificatePem: `${material.certificatePem}\n` },
    ];
    for (const other of others) assert.equal(isSameMaterial(material, other), false);
  });
});
