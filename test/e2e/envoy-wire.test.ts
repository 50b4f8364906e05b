// What Envoys of five minor versions tell ext_authz of a caller's certificate, and which certificates their validators let through:
// the ground that identity stands on. What svidgate makes of the same bytes is asserted beside it.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readCheckRequest } from "../../src/authz/check-request.ts";
import type { IssuedCertificate, LeafProfile } from "../../src/base/x509.ts";
import { decodeEnvoyCertificate } from "../../src/identity/certificate.ts";
import type { TrustBundleSource } from "../../src/identity/trust-bundles.ts";
import { type Asked, type EnvoyModes, type ModeConnection, startEnvoyModes } from "../support/envoy-modes.ts";
import { envoysOfEveryMinor } from "../support/envoy-versions.ts";
import { ADMIN_ID, CHAINED_ID, WEB_ID } from "../support/wire-callers.ts";
import { proven, toBundleSource } from "../support/wire-proof.ts";

const ID = (path: string): string => `spiffe://example.org${path}`;

/** Names of a caller → the principal that Envoy makes of them, which validators let it in, what it proves. */
const CALLERS: readonly {
  readonly what: string;
  readonly names: Partial<LeafProfile>;
  readonly principal: string;
  readonly spiffeValidator: boolean;
  readonly proves: string;
}[] = [
  { what: "one SPIFFE ID", names: { uris: [WEB_ID] }, principal: WEB_ID, spiffeValidator: true, proves: WEB_ID },
  {
    what: "a SPIFFE ID beside DNS names",
    names: { uris: [WEB_ID], dnsNames: ["web.example.org", "web"] },
    principal: WEB_ID,
    spiffeValidator: true,
    proves: WEB_ID,
  },
  {
    what: "two SPIFFE IDs",
    names: { uris: [ID("/a"), ADMIN_ID] },
    principal: ID("/a"),
    spiffeValidator: true,
    proves: "uri_san_count",
  },
  {
    what: "another URI before the SPIFFE ID",
    names: { uris: ["https://a.test/x", WEB_ID], dnsNames: ["web"] },
    principal: "https://a.test/x",
    spiffeValidator: false,
    proves: "uri_san_count",
  },
  {
    what: "DNS names only",
    names: { uris: [], dnsNames: ["web.example.org", "web"] },
    principal: "web.example.org",
    spiffeValidator: false,
    proves: "uri_san_count",
  },
  {
    what: "no name but the subject",
    names: { uris: [], subject: "CN=web,O=Acme\\, Inc,C=US" },
    principal: "C=US,O=Acme\\, Inc,CN=web",
    spiffeValidator: false,
    proves: "uri_san_count",
  },
  {
    what: "a foreign trust domain under the same authority",
    names: { uris: ["spiffe://example.com/web"] },
    principal: "spiffe://example.com/web",
    spiffeValidator: false,
    proves: "no_bundle",
  },
  ...[
    ["no path", ID("")],
    ["an upper-case scheme", "SPIFFE://example.org/web"],
    ["user information", "spiffe://me@example.org/web"],
    ["a port", "spiffe://example.org:8443/web"],
  ].map(([what = "", uri = ""]) => ({
    what,
    names: { uris: [uri] },
    principal: uri,
    spiffeValidator: false,
    proves: "spiffe_id",
  })),
  ...[
    ["a query", ID("/web?x=1")],
    ["a comma and keys of x-forwarded-client-cert", ID(`/a,By=x;URI=${ADMIN_ID}`)],
    ["a quote", ID('/a";URI="b')],
    ["an escape", ID("/a%2Fb")],
  ].map(([what = "", uri = ""]) => ({
    what,
    names: { uris: [uri] },
    principal: uri,
    spiffeValidator: true,
    proves: "spiffe_id",
  })),
];

/** The handshake failed, and nobody was asked. */
function assertRefused(asked: Asked, what?: string): void {
  assert.deepEqual([asked.status, asked.bytes], [undefined, undefined], what);
  // The alert may find the connection closed already.
  assert.match(asked.why ?? "", /alert|ECONNRESET|EPIPE|socket hang up/, what);
}

/** How long the certificate lives that ends during the test. */
const DYING_MS = 4_000;

for (const { name, binary, skip } of await envoysOfEveryMinor()) {
  if (skip !== false) {
    // A skipped suite is not counted, a skipped test is.
    it(`${name} tells ext_authz`, { skip });
    continue;
  }
  describe(`${name} tells ext_authz`, () => {
    let modes: EnvoyModes;
    let bundles: TrustBundleSource;
    /** Opened before its certificate ends, and asked again when it has. */
    let dying: Readonly<Record<"sanitizeSet" | "noResumption", ModeConnection>>;
    let dyingCertificate: IssuedCertificate;
    let endsUnixMs: number;

    before(async () => {
      modes = await startEnvoyModes({ binary, json: false });
      const { authority, chainRootPem } = modes.callers;
      bundles = toBundleSource(authority.certificatePem + chainRootPem);
      endsUnixMs = Math.floor((Date.now() + DYING_MS) / 1000) * 1000;
      dyingCertificate = await authority.svid("/ns/shop/sa/web", { notAfterUnixMs: endsUnixMs });
      dying = {
        sanitizeSet: modes.connect("sanitizeSet", dyingCertificate),
        noResumption: modes.connect("noResumption", dyingCertificate),
      };
      for (const connection of Object.values(dying)) assert.equal((await connection.ask()).status, 200);
    });
    after(async () => {
      for (const connection of Object.values(dying ?? {})) connection.close();
      await modes?.close();
    });

    const source = (asked: Asked) => asked.check.attributes?.source ?? {};

    it("the leaf certificate, its own name, the server name, and no other certificate", async () => {
      const { web } = modes.callers;
      const asked = await modes.ask("sanitizeSet", web);
      assert.equal(asked.status, 200);
      const encoded = source(asked).certificate ?? "";
      // Only what PEM has beyond letters and digits is escaped, and a `+` is never a space.
      assert.match(encoded, /^([A-Za-z0-9-]|%20|%0A|%2F|%2B|%3D)+$/);
      assert.equal(decodeURIComponent(encoded), web.certificatePem);
      const der = decodeEnvoyCertificate(encoded);
      assert.ok(der.ok && new X509Certificate(web.certificatePem).raw.equals(der.value));
      assert.equal(asked.check.attributes?.tls_session?.sni, "localhost");
      const { principal, certificate } = asked.check.attributes?.destination ?? {};
      assert.deepEqual([principal, certificate], [modes.serverId, undefined]);
    });

    it("the leaf alone of a chain", async () => {
      const { chained } = modes.callers;
      const asked = await modes.ask("sanitizeSet", chained);
      assert.equal(decodeURIComponent(source(asked).certificate ?? ""), chained.leafPem);
      assert.equal(source(asked).principal, CHAINED_ID);
      assert.equal(proven(asked, bundles), "untrusted", "without its chain there is no path");
    });

    it("nothing of a caller without certificate, whatever its headers say", async () => {
      const asked = await modes.ask("sanitizeSet", undefined, { "x-envoy-downstream-service-cluster": "admin" });
      assert.equal(asked.status, 200);
      assert.deepEqual(
        [source(asked).principal, source(asked).certificate, proven(asked, bundles)],
        [undefined, undefined, "none"],
      );
    });

    it("a source.service that the caller chooses", async () => {
      const asked = await modes.ask("sanitizeSet", modes.callers.web, {
        "x-envoy-downstream-service-cluster": "admin",
      });
      assert.equal(source(asked).service, "admin");
    });

    for (const { what, names, principal, spiffeValidator, proves } of CALLERS) {
      it(`${what}: principal, certificate, and whether the SPIFFE validator lets it in`, async () => {
        const certificate = await modes.callers.authority.svid("", names);
        const asked = await modes.ask("sanitizeSet", certificate);
        assert.deepEqual([asked.status, source(asked).principal, proven(asked, bundles)], [200, principal, proves]);
        const strict = await modes.ask("spiffe", certificate);
        if (spiffeValidator) {
          assert.deepEqual(
            [strict.status, source(strict).principal, proven(strict, bundles)],
            [200, principal, proves],
          );
        } else assertRefused(strict);
      });
    }

    it("a certificate that may sign others, which only the SPIFFE validator refuses", async () => {
      const { authorityLeaf } = modes.callers;
      const asked = await modes.ask("chain", authorityLeaf);
      assert.deepEqual([asked.status, source(asked).principal, proven(asked, bundles)], [200, ADMIN_ID, "leaf_is_ca"]);
      assertRefused(await modes.ask("spiffe", authorityLeaf));
    });

    it("a self-signed ID like any other under ACCEPT_UNTRUSTED", async () => {
      const { selfSigned, web } = modes.callers;
      const asked = await modes.ask("untrusted", selfSigned);
      assert.deepEqual([asked.status, source(asked).principal, proven(asked, bundles)], [200, ADMIN_ID, "untrusted"]);
      assert.deepEqual(
        Object.keys(asked.check.attributes ?? {}),
        Object.keys((await modes.ask("untrusted", web)).check.attributes ?? {}),
      );
      for (const mode of ["sanitizeSet", "spiffe"] as const) {
        assertRefused(await modes.ask(mode, selfSigned), mode);
      }
    });

    it("the same to svidgate's reader as to another decoder", async () => {
      for (const mode of ["sanitizeSet", "chain", "appendForward", "plaintextForward"] as const) {
        const asked = await modes.ask(mode, modes.callers.chained, { "x-forwarded-client-cert": "URI=spiffe://a/b" });
        assert.ok(asked.bytes !== undefined);
        const read = readCheckRequest(asked.bytes);
        assert.ok(read.ok);
        assert.deepEqual(
          [read.value.sourcePrincipal, read.value.sourceCertificate, read.value.destinationPrincipal],
          [
            source(asked).principal ?? "",
            source(asked).certificate ?? "",
            asked.check.attributes?.destination?.principal ?? "",
          ],
        );
        assert.equal(read.value.header("x-forwarded-client-cert"), asked.xfcc);
      }
    });

    it("no word of a certificate that ended: an open connection and a resumed session go on, a new one does not", async () => {
      const session = dying.sanitizeSet.session();
      assert.ok(session !== undefined);
      assert.equal(dying.noResumption.session(), undefined, "no ticket where resumption is off");
      // X.509 dates are whole seconds, and the last one is part of the validity.
      await delay(Math.max(0, endsUnixMs + 1_500 - Date.now()));
      for (const [mode, connection] of Object.entries(dying)) {
        const asked = await connection.ask();
        assert.deepEqual([asked.status, source(asked).principal, connection.opened()], [200, WEB_ID, 1], mode);
        assert.equal(proven(asked, bundles), "expired", mode);
      }
      const resumed = modes.connect("sanitizeSet", dyingCertificate, session);
      const asked = await resumed.ask();
      assert.deepEqual([asked.status, resumed.resumed(), proven(asked, bundles)], [200, true, "expired"]);
      resumed.close();
      for (const mode of ["sanitizeSet", "noResumption", "spiffe"] as const) {
        assertRefused(await modes.ask(mode, dyingCertificate), mode);
      }
    });
  });
}
