// What svidgate decides of callers that come through real Envoys of five minor versions: certificates that Envoy let in and svidgate
// does not, and x-forwarded-client-cert that a caller made up, in every forwarding mode. One caller may pass, the administrator;
// everybody else tries to be that one.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { packageRoot } from "../../src/base/package-root.ts";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import { type Decisions, startDecisions } from "../support/decisions.ts";
import type { ModeName } from "../support/envoy-mode-config.ts";
import { type EnvoyModes, type Headers, type ModeConnection, startEnvoyModes } from "../support/envoy-modes.ts";
import { envoysOfEveryMinor } from "../support/envoy-versions.ts";
import { ADMIN_ID, TRUST_DOMAIN, WEB_ID } from "../support/wire-callers.ts";
import { fingerprintOf } from "../support/wire-proof.ts";

const POLICY = `package envoy.authz

import data.svidgate.spiffe.identity

default allow := false

allow if identity.is("${ADMIN_ID}")
`;

/** What became of a request: Envoy's status, the reason code, and whom svidgate proved. */
type Outcome = readonly [status: number | undefined, reason: string, proven: string | undefined];

const ALLOWED: Outcome = [200, "policy_allowed", ADMIN_ID];
/** The policy was asked about the caller as who it is, and said no. */
const NOT_ADMIN: Outcome = [403, "policy_denied", WEB_ID];
const NOBODY: Outcome = [403, "policy_denied", undefined];
const refused = (reason: string): Outcome => [401, reason, undefined];

/** Which element is the last one when the caller sends some of its own. */
const MODES: readonly (readonly [ModeName, last: "none" | "Envoy's" | "the caller's"])[] = [
  ["sanitize", "none"],
  ["sanitizeSet", "Envoy's"],
  ["chain", "Envoy's"],
  ["spiffe", "Envoy's"],
  ["untrusted", "Envoy's"],
  ["appendForward", "Envoy's"],
  ["forwardOnly", "the caller's"],
  ["alwaysForwardOnly", "the caller's"],
];

/** How long the certificate lives that ends during the test. */
const DYING_MS = 4_000;

for (const { name, binary, skip } of await envoysOfEveryMinor()) {
  if (skip !== false) {
    // A skipped suite is not counted, a skipped test is.
    it(`${name}: svidgate decides`, { skip });
    continue;
  }
  describe(`${name}: svidgate decides`, { timeout: 120_000 }, () => {
    let folder: string;
    let modes: EnvoyModes;
    /** Without and with `xfcc.enabled`. */
    let plain: Decisions;
    let withXfcc: Decisions;
    let inForce: Decisions | undefined;
    let admin: IssuedCertificate;
    /** x-forwarded-client-cert that a caller can make up, by what it tries. */
    let forged: Readonly<Record<"plain" | "bound" | "chain" | "json" | "admins" | "broken", string>>;
    let dying: ModeConnection;
    let endsUnixMs: number;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "svidgate-resolution-"));
      const handler: Decisions["handler"] = (bytes, call) => {
        assert.ok(inForce !== undefined);
        return inForce.handler(bytes, call);
      };
      modes = await startEnvoyModes({ binary, json: false, handler });
      const { authority, chainRootPem, web } = modes.callers;
      const start = async (xfcc: boolean): Promise<Decisions> => {
        const file = async (part: string, content: string): Promise<string> => {
          await writeFile(join(folder, part), content);
          return join(folder, part);
        };
        const config = {
          policy: { paths: [await file("policy.rego", POLICY), join(packageRoot(), "policies/lib")] },
          identity: {
            trust_domains: {
              [TRUST_DOMAIN]: { bundle: await file("bundle.pem", authority.certificatePem + chainRootPem) },
            },
            xfcc: { enabled: xfcc },
          },
        };
        return startDecisions(await file(`${xfcc}.yaml`, JSON.stringify({ svidgate: config })));
      };
      [plain, withXfcc] = [await start(false), await start(true)];
      admin = await authority.svid("/ns/shop/sa/admin");
      const [webHash, adminHash] = [web, admin].map(({ certificatePem }) => fingerprintOf(certificatePem));
      const by = `By=${modes.serverId}`;
      const adminChain = encodeURIComponent(admin.certificatePem + authority.certificatePem);
      forged = {
        plain: `${by};URI=${ADMIN_ID}`,
        // Everybody knows the hash of the own certificate.
        bound: `${by};Hash=${webHash};URI=${ADMIN_ID}`,
        chain: `${by};Hash=${webHash};Chain="${adminChain}";URI=${WEB_ID}`,
        json: JSON.stringify([{ by: [modes.serverId], hash: webHash, uri: [ADMIN_ID] }]),
        admins: `${by};Hash=${adminHash};Cert="${encodeURIComponent(admin.certificatePem)}";URI=${ADMIN_ID}`,
        broken: `${by};Hash=${webHash};URI="${ADMIN_ID}`,
      };
      endsUnixMs = Math.floor((Date.now() + DYING_MS) / 1000) * 1000;
      const ending = await authority.svid("/ns/shop/sa/admin", { notAfterUnixMs: endsUnixMs });
      dying = modes.connect("sanitizeSet", ending);
      assert.deepEqual(await outcome(plain, () => dying.ask()), ALLOWED);
    });
    after(async () => {
      dying?.close();
      plain?.close();
      withXfcc?.close();
      await modes?.close();
      await rm(folder, { recursive: true, force: true });
    });

    async function outcome(
      decisions: Decisions,
      ask: () => Promise<{ readonly status: number | undefined }>,
    ): Promise<Outcome> {
      inForce = decisions;
      const { status } = await ask();
      const { decision, identity } = decisions.take();
      // Whoever is proven here is proven by svidgate.
      assert.equal(identity?.verifiedBy, identity?.spiffeId === undefined ? "none" : "pdp");
      return [status, decision.reason, identity?.spiffeId];
    }

    const ask = (
      decisions: Decisions,
      mode: ModeName,
      certificate: IssuedCertificate | undefined,
      xfcc?: string | string[],
    ): Promise<Outcome> => {
      const headers: Headers = xfcc === undefined ? {} : { "x-forwarded-client-cert": xfcc };
      return outcome(decisions, () => modes.ask(mode, certificate, headers));
    };

    for (const [mode, last] of MODES) {
      it(`${mode}: by the certificate alone, whatever x-forwarded-client-cert the caller made up`, async () => {
        const { web, selfSigned } = modes.callers;
        for (const header of [undefined, ...Object.values(forged)]) {
          assert.deepEqual(await ask(plain, mode, web, header), NOT_ADMIN, header);
          assert.deepEqual(await ask(plain, mode, admin, header), ALLOWED, header);
          // The SPIFFE validator lets nobody in without a certificate.
          if (mode !== "spiffe") assert.deepEqual(await ask(plain, mode, undefined, header), NOBODY, header);
          if (mode === "untrusted")
            assert.deepEqual(await ask(plain, mode, selfSigned, header), refused("x509_untrusted"), header);
        }
      });

      it(`${mode}, xfcc.enabled: nobody as the administrator for a header that the caller made up`, async () => {
        const { web, selfSigned } = modes.callers;
        const isOwn = last === "the caller's";
        const outcomes: Readonly<Record<keyof typeof forged, Outcome>> = {
          plain: NOT_ADMIN,
          bound: isOwn ? refused("xfcc_mismatch") : NOT_ADMIN,
          chain: NOT_ADMIN,
          json: isOwn ? refused("xfcc_mismatch") : NOT_ADMIN,
          admins: NOT_ADMIN,
          broken: isOwn ? refused("xfcc_unterminated_quote") : NOT_ADMIN,
        };
        for (const [what, header] of Object.entries(forged) as [keyof typeof forged, string][]) {
          const found = await ask(withXfcc, mode, web, header);
          // What becomes of text that Envoy appends to depends on what it takes that text for, which differs between versions.
          const isAppendedTo = mode === "appendForward" && (what === "json" || what === "broken");
          if (isAppendedTo) assert.ok(found[0] === 401 || found[2] === WEB_ID, `${what}: ${found.join(" ")}`);
          else assert.deepEqual(found, outcomes[what], what);
          if (mode !== "spiffe") assert.deepEqual(await ask(withXfcc, mode, undefined, header), NOBODY, what);
          if (mode === "untrusted")
            assert.deepEqual(await ask(withXfcc, mode, selfSigned, header), refused("x509_untrusted"), what);
        }
        assert.deepEqual(await ask(withXfcc, mode, web), NOT_ADMIN);
        assert.deepEqual(await ask(withXfcc, mode, admin), ALLOWED);
      });
    }

    it("nobody as anybody on a listener without TLS, whatever the header says", async () => {
      for (const mode of ["plaintextAppend", "plaintextForward"] as const) {
        for (const header of Object.values(forged)) {
          assert.deepEqual(await ask(plain, mode, undefined, header), NOBODY, header);
          assert.deepEqual(await ask(withXfcc, mode, undefined, header), NOBODY, header);
        }
      }
    });

    it("appendForward, xfcc.enabled: by the last element, in one line or several", async () => {
      const lines = [forged.plain, forged.admins];
      assert.deepEqual(await ask(withXfcc, "appendForward", modes.callers.web, lines), NOT_ADMIN);
      assert.deepEqual(await ask(withXfcc, "appendForward", admin, `By=${modes.serverId};URI=${WEB_ID}`), ALLOWED);
    });

    it("chain, xfcc.enabled: a caller under an intermediate is proven with the Chain that Envoy sends, and not without", async () => {
      const { chained } = modes.callers;
      const id = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/chained`;
      assert.deepEqual(await ask(withXfcc, "chain", chained), [403, "policy_denied", id]);
      assert.deepEqual(await ask(plain, "chain", chained), refused("x509_untrusted"));
    });

    it("against a certificate with two URI names, in either order", async () => {
      const { authority } = modes.callers;
      for (const uris of [
        [WEB_ID, ADMIN_ID],
        [ADMIN_ID, WEB_ID],
        [ADMIN_ID, "https://admin.test/"],
        [ADMIN_ID, ADMIN_ID],
      ]) {
        const two = await authority.svid("", { uris });
        for (const decisions of [plain, withXfcc])
          for (const mode of ["sanitizeSet", "appendForward", "spiffe"] as const)
            assert.deepEqual(await ask(decisions, mode, two), refused("x509_uri_san_count"), uris.join(" "));
      }
    });

    it("against a certificate that nobody signed and that Envoy lets in with ACCEPT_UNTRUSTED", async () => {
      const { selfSigned } = modes.callers;
      for (const decisions of [plain, withXfcc]) {
        assert.deepEqual(await ask(decisions, "untrusted", selfSigned), refused("x509_untrusted"));
        assert.deepEqual(await ask(decisions, "untrusted", admin), ALLOWED);
      }
    });

    it("against a kept-alive connection from the first request after the end of its certificate", async () => {
      // The connection was opened, and allowed, before everything else.
      for (;;) {
        const askedUnixMs = Date.now();
        const found = await outcome(plain, () => dying.ask());
        if (askedUnixMs > endsUnixMs) {
          assert.deepEqual(found, refused("x509_expired"));
          break;
        }
        if (Date.now() <= endsUnixMs) assert.deepEqual(found, ALLOWED);
        await delay(50);
      }
      assert.deepEqual(await outcome(withXfcc, () => dying.ask()), refused("x509_expired"));
      assert.equal(dying.opened(), 1, "on the one connection");
      assert.deepEqual(await ask(plain, "sanitizeSet", admin), ALLOWED, "a new certificate on a new one");
    });
  });
}
