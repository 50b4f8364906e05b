// The package export `svidgate/identity`: what it gives, and what importing it loads.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import * as exported from "../../../src/identity/index.ts";
import { createTestBundles } from "../../support/held-bundles.ts";
import { createHandBundles, createSigningKey, signToken } from "../../support/jwt-svid.ts";
import { issueAuthority, issueCertificate, toEnvoyText } from "../../support/signed-certificate.ts";

const NOW = Date.now();
const ID = "spiffe://td1.test/ns/pay/sa/api";

it("exports these functions and no others", () => {
  assert.deepEqual(Object.keys(exported).sort(), [
    "createTrustBundleSource",
    "decodeEnvoyCertificate",
    "decodePem",
    "isWorkloadId",
    "parseCertificate",
    "parseSpiffeId",
    "parseTrustBundle",
    "parseXfcc",
    "selectXfcc",
    "verifyJwtSvid",
    "verifyX509Svid",
    "xfccChainDers",
    "xfccUri",
  ]);
});

it("gives values or codes, from a bundle document to a verified certificate and token", async () => {
  const root = issueAuthority(undefined, { uris: ["spiffe://td1.test"] });
  const key = createSigningKey("ES256", "k1");
  const x5c = [root.der.toString("base64")];
  const jwk = { ...key.publicKey.export({ format: "jwk" }), use: "jwt-svid", kid: "k1" };
  const document = JSON.stringify({ keys: [{ kty: "EC", use: "x509-svid", x5c }, jwk] });
  const parsed = exported.parseTrustBundle(document, { trustDomain: "td1.test" });
  assert.ok(parsed.ok);
  assert.equal(parsed.value.x509Authorities.length, 1, parsed.value.ignored.join());
  const bundles = exported.createTrustBundleSource([parsed.value]);

  const leaf = issueCertificate(root, { uris: [ID] });
  const der = exported.decodeEnvoyCertificate(toEnvoyText(leaf.der));
  assert.ok(der.ok);
  const svid = exported.verifyX509Svid(der.value, { bundles, nowUnixMs: NOW });
  assert.equal(svid.ok && svid.value.spiffeId.id, ID);
  assert.deepEqual(exported.verifyX509Svid(Buffer.of(1), { bundles, nowUnixMs: NOW }), {
    ok: false,
    code: "cert_parse",
  });

  const claims = { sub: ID, aud: "ours", exp: Math.floor(NOW / 1000) + 60 };
  const token = signToken({ alg: "ES256", kid: "k1" }, claims, key);
  const options = { bundles, audiences: ["ours"], nowUnixMs: NOW };
  const verified = await exported.verifyJwtSvid(token, options);
  assert.equal(verified.ok && verified.value.spiffeId.id, ID);
  const refused = await exported.verifyJwtSvid(token, { ...options, audiences: [] });
  assert.equal(refused.ok ? undefined : refused.code, "aud");
  // Any source with `find` will do.
  const others = [createTestBundles(), createHandBundles()];
  for (const none of others) {
    const answer = exported.verifyX509Svid(der.value, { bundles: none, nowUnixMs: NOW });
    assert.equal(answer.ok ? undefined : answer.code, "no_bundle");
  }
});

it("loads nothing but Node's modules when it is imported", () => {
  const seen = new Set<string>();
  const outside = new Set<string>();
  const walk = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(join(packageRoot(), "src", path), "utf8");
    // Types are gone when it runs, and what is imported in a function is loaded when that is called.
    for (const [statement, target = ""] of text.matchAll(/^(?:import|export)\s(?:[^;"]*?from\s+)?"([^"]+)"/gm)) {
      if (/^(?:import|export) type /.test(statement)) continue;
      if (target.startsWith(".")) walk(join(path, "..", target));
      else if (!target.startsWith("node:")) outside.add(target);
    }
  };
  walk("identity/index.ts");
  assert.deepEqual([...outside], []);
  assert.ok(seen.size > 10 && seen.has("base/x509.ts"));
  assert.deepEqual(
    [...seen].filter((path) => /sources\/|explain\/|yaml|deny/.test(path)),
    [],
  );
});
