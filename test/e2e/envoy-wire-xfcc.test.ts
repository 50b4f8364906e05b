// What Envoys of five minor versions write into x-forwarded-client-cert, in every forwarding mode, with and without a header that
// the caller made up: what `src/identity/xfcc.ts` may believe of it.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { EnvoyStartError } from "../../src/cli/demo/envoy-process.ts";
import type { TrustBundleSource } from "../../src/identity/trust-bundles.ts";
import { parseXfcc } from "../../src/identity/xfcc.ts";
import type { ModeName } from "../support/envoy-mode-config.ts";
import { type EnvoyModes, startEnvoyModes } from "../support/envoy-modes.ts";
import { envoysOfEveryMinor } from "../support/envoy-versions.ts";
import { ADMIN_ID, CHAINED_ID, WEB_ID } from "../support/wire-callers.ts";
import { boundElement, fingerprintOf, proven, toBundleSource } from "../support/wire-proof.ts";

/** All that differs between the minor versions; the rest of this file holds for each of them. */
const DIFFERENCES: Readonly<Record<string, { readonly json: boolean }>> = {
  "1.36": { json: false },
  "1.37": { json: false },
  // Newer ones as 1.38: `set_current_client_cert_details.format`, and a JSON header of the caller's is taken for one.
};
const NEWER = { json: true };

/** What a caller makes up: an administrator, in an element with the right By. */
const forgery = (serverId: string): string => `By=${serverId};URI=${ADMIN_ID}`;

type Seen = "nothing" | "Envoy's" | "the caller's" | "the caller's, Envoy's";

/** Forwarding mode → what ext_authz sees when a caller with a certificate, or one without, sends a header of its own. */
const FORWARDING: readonly (readonly [ModeName, withCertificate: Seen, withoutCertificate: Seen])[] = [
  ["sanitize", "nothing", "nothing"],
  ["sanitizeSet", "Envoy's", "nothing"],
  ["appendForward", "the caller's, Envoy's", "nothing"],
  ["forwardOnly", "the caller's", "nothing"],
  ["alwaysForwardOnly", "the caller's", "the caller's"],
  ["untrusted", "Envoy's", "nothing"],
];

for (const { name, binary, skip, minor } of await envoysOfEveryMinor()) {
  const { json } = DIFFERENCES[minor] ?? NEWER;
  if (skip !== false) {
    // A skipped suite is not counted, a skipped test is.
    it(`${name} writes x-forwarded-client-cert`, { skip });
    continue;
  }
  describe(`${name} writes x-forwarded-client-cert`, () => {
    let modes: EnvoyModes;
    let bundles: TrustBundleSource;
    /** The element that Envoy makes of `web`. */
    let own: string;

    before(async () => {
      modes = await startEnvoyModes({ binary, json });
      const { authority, chainRootPem, web } = modes.callers;
      bundles = toBundleSource(authority.certificatePem + chainRootPem);
      const hash = fingerprintOf(web.certificatePem);
      own = `By=${modes.serverId};Hash=${hash};Subject="O=SPIRE,C=US";URI=${WEB_ID}`;
    });
    after(() => modes?.close());

    const toHeader = (seen: Seen, forged: string): string | undefined =>
      ({
        nothing: undefined,
        "Envoy's": own,
        "the caller's": forged,
        "the caller's, Envoy's": `${forged},${own}`,
      })[seen];

    for (const [mode, withCertificate, withoutCertificate] of FORWARDING) {
      it(`${mode}: ${withCertificate} for a certificate, ${withoutCertificate} without one, and never proves more than it`, async () => {
        const forged = forgery(modes.serverId);
        const headers = { "x-forwarded-client-cert": forged };
        const { web } = modes.callers;
        const asked = await modes.ask(mode, web, headers);
        assert.deepEqual([asked.status, asked.xfcc], [200, toHeader(withCertificate, forged)]);
        assert.equal(proven(asked, bundles), WEB_ID);
        assert.deepEqual(boundElement(asked)?.uris, withCertificate.endsWith("Envoy's") ? [WEB_ID] : undefined);

        const anonymous = await modes.ask(mode, undefined, headers);
        assert.deepEqual([anonymous.status, anonymous.xfcc], [200, toHeader(withoutCertificate, forged)]);
        assert.deepEqual([proven(anonymous, bundles), boundElement(anonymous)], ["none", undefined]);

        const honest = await modes.ask(mode, web);
        assert.equal(honest.xfcc, withCertificate.endsWith("Envoy's") ? own : undefined);
      });
    }

    it("and drops the caller's on a listener without TLS, but under ALWAYS_FORWARD_ONLY", async () => {
      const forged = forgery(modes.serverId);
      const headers = { "x-forwarded-client-cert": forged };
      assert.equal((await modes.ask("plaintextAppend", undefined, headers)).xfcc, undefined);
      const kept = await modes.ask("plaintextForward", undefined, headers);
      assert.deepEqual([kept.xfcc, kept.check.attributes?.destination?.principal], [forged, undefined]);
      assert.equal(boundElement(kept), undefined);
    });

    it("and joins several lines of the caller's before its own, also when headers are sent raw", async () => {
      const lines = ["URI=spiffe://a/b", forgery(modes.serverId)];
      const expected = `${lines.join(",")},${own}`;
      const { web } = modes.callers;
      assert.equal((await modes.ask("appendForward", web, { "x-forwarded-client-cert": lines })).xfcc, expected);
      const raw = await modes.ask("rawHeaders", web, { "x-forwarded-client-cert": lines });
      const { headers, header_map: map } = raw.check.attributes?.request?.http ?? {};
      const values = map?.headers?.filter(({ key }) => key === "x-forwarded-client-cert") ?? [];
      assert.deepEqual(
        values.map(({ raw_value }) => raw_value?.toString("latin1")),
        [expected],
      );
      assert.deepEqual(Object.keys(headers ?? {}), []);
    });

    it("with no By where its own certificate has no URI, so that no element is bound", async () => {
      const asked = await modes.ask("dnsServer", modes.callers.web);
      assert.equal(asked.xfcc, own.slice(own.indexOf("Hash=")));
      assert.equal(asked.check.attributes?.destination?.principal, "localhost");
      assert.equal(boundElement(asked), undefined);
    });

    it("with Cert and Chain URL-encoded, leaf first: enough to verify a caller under an intermediate", async () => {
      const { authority, chained, web } = modes.callers;
      const asked = await modes.ask("chain", chained);
      const parsed = parseXfcc(asked.xfcc ?? "");
      assert.ok(parsed.ok);
      const [element, ...others] = parsed.value;
      assert.deepEqual([others, element?.hash], [[], fingerprintOf(chained.certificatePem)]);
      assert.equal(decodeURIComponent(String(element?.cert)), chained.leafPem);
      assert.equal(decodeURIComponent(String(element?.chain)), chained.certificatePem);
      assert.deepEqual([element?.uris, proven(asked, bundles)], [[CHAINED_ID], CHAINED_ID]);
      const direct = parseXfcc((await modes.ask("chain", web)).xfcc ?? "");
      assert.ok(direct.ok);
      // The caller's TLS library sends the authority too where it knows it; Envoy passes on what came.
      assert.equal(decodeURIComponent(String(direct.value[0]?.chain)), web.certificatePem + authority.certificatePem);
    });

    it("with names as they stand in the certificate, neither quoted nor escaped", async () => {
      const uri = `spiffe://example.org/a,By=${modes.serverId};URI=${ADMIN_ID}`;
      const dns = `x;URI=${ADMIN_ID}`;
      const evil = await modes.callers.authority.svid("", { uris: [uri], dnsNames: [dns] });
      for (const mode of ["sanitizeSet", "spiffe"] as const) {
        const asked = await modes.ask(mode, evil);
        const head = `By=${modes.serverId};Hash=${fingerprintOf(evil.certificatePem)};Subject="O=SPIRE,C=US"`;
        assert.equal(asked.xfcc, `${head};URI=${uri};DNS=${dns}`, mode);
        assert.deepEqual([boundElement(asked), proven(asked, bundles)], [undefined, "spiffe_id"], mode);
      }
      const quoted = await modes.callers.authority.svid("", { uris: [`${WEB_ID}";URI="${ADMIN_ID}`] });
      assert.deepEqual(parseXfcc((await modes.ask("sanitizeSet", quoted)).xfcc ?? "").ok, false);
    });

    it("with an empty URI where a certificate has none, and a subject whose commas are escaped", async () => {
      const names = { uris: [], dnsNames: ["web", "web.example.org"], subject: "CN=web,O=Acme\\, Inc" };
      const certificate = await modes.callers.authority.svid("", names);
      const { xfcc } = await modes.ask("sanitizeSet", certificate);
      const hash = fingerprintOf(certificate.certificatePem);
      assert.equal(
        xfcc,
        `By=${modes.serverId};Hash=${hash};Subject="O=Acme\\, Inc,CN=web";URI=;DNS=web;DNS=web.example.org`,
      );
    });

    const array = `[{"uri":["${ADMIN_ID}"]}]`;
    it(`and ${json ? "appends to a JSON array of the caller's in kind" : "appends text to a JSON array of the caller's"}`, async () => {
      const asked = await modes.ask("appendForward", modes.callers.web, { "x-forwarded-client-cert": array });
      if (json) {
        const elements = JSON.parse(asked.xfcc ?? "") as unknown[];
        assert.deepEqual(elements[0], { uri: [ADMIN_ID] });
        assert.equal(elements.length, 2);
        assert.deepEqual(boundElement(asked)?.uris, [WEB_ID]);
      } else {
        assert.equal(asked.xfcc, `${array},${own}`);
        assert.deepEqual(parseXfcc(asked.xfcc ?? "").ok, false);
      }
      assert.equal(proven(asked, bundles), WEB_ID);
    });

    it("and appends text to broken JSON, which then is neither", async () => {
      const broken = '[{"uri":';
      const asked = await modes.ask("appendForward", modes.callers.web, { "x-forwarded-client-cert": broken });
      assert.equal(asked.xfcc, `${broken},${own}`);
      assert.deepEqual([parseXfcc(asked.xfcc ?? "").ok, proven(asked, bundles)], [false, WEB_ID]);
    });

    if (!json) {
      it("and does not know the JSON format: it does not start with it", async () => {
        await assert.rejects(
          startEnvoyModes({ binary, json: true }),
          (error) => error instanceof EnvoyStartError && /unknown fields/.test(error.message),
        );
      });
      return;
    }

    it("in JSON with PEM as it is, names in their quotes, and no key for what is not there", async () => {
      const { chained, authority } = modes.callers;
      const hash = fingerprintOf(chained.certificatePem);
      const asked = await modes.ask("jsonSet", chained, { "x-forwarded-client-cert": forgery(modes.serverId) });
      assert.deepEqual(JSON.parse(asked.xfcc ?? ""), [
        {
          by: [modes.serverId],
          hash,
          cert: chained.leafPem,
          chain: [chained.leafPem, chained.intermediatePem],
          subject: "O=SPIRE,C=US",
          uri: [CHAINED_ID],
        },
      ]);
      assert.equal(proven(asked, bundles), CHAINED_ID);

      const uri = `spiffe://example.org/a",By=${modes.serverId};URI=${ADMIN_ID}`;
      const evil = await authority.svid("", { uris: [uri], dnsNames: ["x", "y"] });
      const [element] = JSON.parse((await modes.ask("jsonSet", evil)).xfcc ?? "") as Record<string, unknown>[];
      assert.deepEqual([element?.["uri"], element?.["dns"]], [[uri], ["x", "y"]]);

      const dnsOnly = await modes.ask("jsonSet", await authority.svid("", { uris: [], dnsNames: ["x"] }));
      const [nameless] = JSON.parse(dnsOnly.xfcc ?? "") as Record<string, unknown>[];
      assert.deepEqual(Object.keys(nameless ?? {}), ["by", "hash", "cert", "chain", "subject", "dns"]);
    });

    it("in text although JSON is configured, once the caller sent text to append to", async () => {
      const forged = forgery(modes.serverId);
      const asked = await modes.ask("jsonAppend", modes.callers.web, { "x-forwarded-client-cert": forged });
      assert.equal(asked.xfcc, `${forged},${own}`);
      assert.match((await modes.ask("jsonAppend", modes.callers.web)).xfcc ?? "", /^\[\{"by":/);
    });
  });
}
