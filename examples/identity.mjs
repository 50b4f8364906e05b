// Verifies a certificate or a token in your own program, with the package export `svidgate/identity`.
//
//   node examples/identity.mjs TRUST_DOMAIN BUNDLE CREDENTIAL [AUDIENCE [DATE]]
//   node examples/identity.mjs example.org examples/identity/bundle.json examples/identity/svid.pem '' 2026-01-01T00:30:00Z
//
// BUNDLE is a SPIFFE bundle document or PEM; CREDENTIAL is PEM, leaf first, or a JWT-SVID.

import { readFileSync } from "node:fs";
import { createTrustBundleSource, decodePem, parseTrustBundle, verifyJwtSvid, verifyX509Svid } from "svidgate/identity";

const [trustDomain, bundleFile, credentialFile, audience = "", date] = process.argv.slice(2);
if (trustDomain === undefined || bundleFile === undefined || credentialFile === undefined) {
  process.stderr.write("usage: node examples/identity.mjs TRUST_DOMAIN BUNDLE CREDENTIAL [AUDIENCE [DATE]]\n");
  process.exit(2);
}

/** The value, or the end of the program with the code that says why there is none. */
const need = (result) => {
  if (result.ok) return result.value;
  process.stdout.write(`refused: ${result.code}${result.detail === undefined ? "" : ` (${result.detail})`}\n`);
  process.exit(1);
};

// Once: a bundle belongs to one trust domain, and is never used for another.
const bundle = need(parseTrustBundle(readFileSync(bundleFile), { trustDomain }));
const options = {
  bundles: createTrustBundleSource([bundle]),
  nowUnixMs: date === undefined ? Date.now() : Date.parse(date),
};

// For each credential. Nothing throws and nothing rejects: the outcome is a value.
const credential = readFileSync(credentialFile, "utf8");
if (credential.startsWith("-----BEGIN")) {
  const [leaf, ...intermediates] = need(decodePem(credential));
  const svid = need(verifyX509Svid(leaf, { ...options, intermediates }));
  process.stdout.write(`${svid.spiffeId.id}, by a path of ${svid.chain.length} certificates\n`);
} else {
  const svid = need(await verifyJwtSvid(credential.trim(), { ...options, audiences: [audience] }));
  process.stdout.write(`${svid.spiffeId.id}, until ${new Date(svid.expiresUnixMs).toISOString()}\n`);
}
