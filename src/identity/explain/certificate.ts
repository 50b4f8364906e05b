// Explains a certificate with the certificates that came with it: the rules of an X509-SVID in the order of `verifyX509Svid`, whose
// word is the verdict, then those of the trust domain and the deny list.

import { percentDecode } from "../../base/canonical.ts";
import { type Certificate, decodePem, readCertificate } from "../certificate.ts";
import { certificateSubject } from "../credential-facts.ts";
import type { TrustBundleSource } from "../trust-bundles.ts";
import { toVerifiedCertificate } from "../verified-certificate.ts";
import { verifyX509Svid, verifyX509SvidLeaf, type X509Svid } from "../x509-svid.ts";
import { CERTIFICATE_RULES, type CertificateStage } from "./certificate-rules.ts";
import { cutList, cutText, type Ending, type Explanation, type Fact, toChecks, toDateText, toFacts } from "./checks.ts";
import { type ExplainOptions, findSharedFault, NO_BUNDLES, NO_DENY_LIST } from "./trust.ts";

const NO_TRUST: TrustBundleSource = { find: () => undefined };
const SEARCHES: ReadonlySet<CertificateStage> = new Set(["path"]);
const NEEDS_BUNDLES: readonly CertificateStage[] = ["bundle", "path", "readers", "rules"];

type Failure = NonNullable<Ending<CertificateStage>["failed"]>;

/** Explains a PEM text, leaf first; percent-encoded too, as Envoy sends the leaf. */
export function explainCertificate(text: string, options: ExplainOptions): Explanation {
  const pem = /^\s*-----BEGIN%20/.test(text) ? (percentDecode(text) ?? "") : text;
  const ders = decodePem(pem);
  if (!ders.ok) return toExplanation({ stage: "bytes", check: ders.code, detail: ders.detail }, options, new Map());
  const [der = new Uint8Array(), ...intermediates] = ders.value;
  const leaf = readCertificate(der);
  const given = { certificates_given: ders.value.length };
  if (!leaf.ok) {
    return toExplanation({ stage: "bytes", check: leaf.code, detail: leaf.detail }, options, toFacts(given));
  }
  const { nowUnixMs, clockSkewMs, bundles } = options;
  const verified = verifyX509Svid(leaf.value, {
    bundles: bundles ?? NO_TRUST,
    nowUnixMs,
    clockSkewMs,
    intermediates,
  });
  if (!verified.ok) {
    const facts = toFacts({ ...factsOf(leaf.value), ...given });
    const stage = stageOf(leaf.value, verified.code, options);
    const isUnchecked = stage === "bundle" && bundles === undefined;
    const failure = isUnchecked ? undefined : { stage, check: verified.code, detail: verified.detail };
    return toExplanation(failure, options, facts);
  }
  const { spiffeId, chain } = verified.value;
  const held = bundles?.find(spiffeId.trustDomain);
  const certificate = toVerifiedCertificate(verified.value, held?.generation ?? 0);
  const fault = findSharedFault(spiffeId, certificate, certificateSubject(certificate), options);
  const facts = { ...factsOf(leaf.value), ...given, path: pathOf(verified.value), path_ends: pathEnd(chain) };
  const ignored = held?.bundle.ignored.length ?? 0;
  const authorities = held?.bundle.x509Authorities.length ?? 0;
  const remarks = new Map([
    ["bundle_entry", `${authorities} may sign, ${ignored} entries of the bundle count for nothing`],
  ]);
  return toExplanation(fault, options, toFacts(facts), remarks);
}

/** Some rules are asked of the leaf and of its issuers: the leaf comes first. What is read by now can only fail at the last reader. */
function stageOf(leaf: Certificate, code: string, options: ExplainOptions): CertificateStage {
  if (!verifyX509SvidLeaf(leaf, options).ok) return "leaf";
  return code === "no_bundle" ? "bundle" : code === "cert_parse" ? "readers" : "path";
}

function toExplanation(
  failed: Failure | undefined,
  { bundles, denyList }: ExplainOptions,
  facts: ReadonlyMap<string, Fact>,
  remarks?: ReadonlyMap<string, string>,
): Explanation {
  const unchecked = new Map<CertificateStage, string>([["request", "takes the request: Envoy's source.principal"]]);
  if (bundles === undefined) for (const stage of NEEDS_BUNDLES) unchecked.set(stage, NO_BUNDLES);
  if (denyList === undefined) unchecked.set("deny", NO_DENY_LIST);
  else if (bundles === undefined) unchecked.set("deny", NO_BUNDLES);
  const checks = toChecks(CERTIFICATE_RULES, {
    failed,
    unchecked,
    searches: SEARCHES,
    ...(remarks !== undefined && { remarks }),
  });
  return {
    kind: "certificate",
    verdict: failed !== undefined ? "refused" : bundles === undefined ? "incomplete" : "accepted",
    code: failed && checks.find(({ outcome }) => outcome === "fail")?.code,
    detail:
      failed === undefined && bundles === undefined
        ? "no path was looked for: no trust bundle is configured"
        : failed?.detail,
    facts,
    checks,
  };
}

/** What the certificate says; the URI names stand for the ID, whatever they are. */
const factsOf = ({ fields, x509, fingerprintSha256 }: Certificate): Readonly<Record<string, Fact | undefined>> => ({
  uri_names: cutList(fields.uris),
  dns_names: fields.dnsNames.length === 0 ? undefined : cutList(fields.dnsNames),
  subject: toNameText(x509.subject),
  issuer: toNameText(x509.issuer),
  serial: fields.serial,
  not_before: toDateText(fields.notBeforeUnixMs),
  not_after: toDateText(fields.notAfterUnixMs),
  key: fields.key.size === 0 ? fields.key.type : `${fields.key.type} ${fields.key.size}`,
  signature_algorithm: fields.signatureAlgorithm.name,
  fingerprint_sha256: fingerprintSha256,
});

/** OpenSSL's lines, the most specific part first. */
const toNameText = (lines: string | undefined): string => cutText((lines ?? "").split("\n").reverse().join(","));

/** From the leaf to the authority; authorities often share a name. */
const pathOf = ({ chain }: X509Svid): readonly string[] =>
  chain.map(({ x509, fingerprintSha256 }) => `${toNameText(x509.subject)} (${fingerprintSha256.slice(0, 16)})`);

const pathEnd = (chain: readonly Certificate[]): string | undefined =>
  toDateText(Math.min(...chain.map(({ fields }) => fields.notAfterUnixMs)));
