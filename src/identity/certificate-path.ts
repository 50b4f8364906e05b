// The search for a chain of signatures from a leaf to one of a trust domain's own authorities.
// SPEC: RFC 5280 §6.1 and X509-SVID §5.1: names, signatures, dates, authority and path length, key usage, name constraints and
// critical extensions of every certificate, the anchor included. An anchor is any authority of the bundle, self-signed or not.
// SECURITY: intermediates are untrusted candidates: their number, the depth of the search and the signature checks are bounded,
// and nothing is believed before the signature of the certificate above it holds. What a stranger made up is left out before the
// search, by signatures from the anchors down: its keys and constraints would be a way to spend our time. Revocation lists are
// not looked at.

import type { KeyObject } from "node:crypto";
import { fail, ok, type Result } from "../base/result.ts";
import type { Certificate } from "./certificate.ts";
import { satisfiesNameConstraints } from "./name-constraints.ts";
import { parseSpiffeId } from "./spiffe-id.ts";
import { allowsClientAuth, validityCode } from "./svid-leaf.ts";

/** Why there is no path, the most telling first: what is found on the way to an answer counts more than finding nothing. */
const CODES = [
  "expired",
  "not_yet_valid",
  "path_len",
  "name_constraints",
  "critical_ext",
  "signing_cert_id",
  "eku",
  "weak_crypto",
  "ca_flags",
  "untrusted",
] as const;

/** Why there is no path. */
export type CertificatePathCode = (typeof CODES)[number];

/** What a path may be made of. */
export interface CertificatePathOptions {
  /** Of the one trust domain that the leaf names. */
  readonly anchors: readonly Certificate[];
  /** Asked only when no anchor has signed the leaf itself. */
  intermediates(): readonly Certificate[];
  readonly nowUnixMs: number;
  readonly clockSkewMs: number;
}

/** Authorities above the leaf, the anchor among them. */
const MAX_DEPTH = 5;
const MAX_SIGNATURE_CHECKS = 100;

interface Problem {
  readonly code: CertificatePathCode;
  readonly detail: string | undefined;
}

interface Search extends Omit<CertificatePathOptions, "intermediates"> {
  /** Those that an anchor stands behind. */
  intermediates(): readonly Certificate[];
  /** Issuer → whom it has signed, as far as that was looked at. */
  readonly signatures: Map<Certificate, Map<Certificate, boolean>>;
  signatureChecks: number;
  problem: Problem;
}

/** The certificates from the leaf to an anchor. The leaf's own rules and dates are not looked at. */
export function findCertificatePath(
  leaf: Certificate,
  options: CertificatePathOptions,
): Result<readonly Certificate[], CertificatePathCode> {
  let vouched: readonly Certificate[] | undefined;
  const search: Search = {
    ...options,
    intermediates: () => {
      vouched ??= findVouched(search, options.intermediates());
      return vouched;
    },
    signatures: new Map(),
    signatureChecks: 0,
    problem: { code: "untrusted", detail: undefined },
  };
  const path = climb(search, [leaf]);
  return path === undefined ? fail(search.problem.code, search.problem.detail) : ok(path);
}

/** The candidates that an anchor has signed, or one that it stands behind, in their order. Each check is by a key of ours. */
function findVouched(search: Search, candidates: readonly Certificate[]): readonly Certificate[] {
  const vouched = new Set<Certificate>();
  for (let signers = search.anchors; signers.length > 0; ) {
    const signed = candidates.filter(
      (candidate) =>
        !vouched.has(candidate) &&
        signers.some((signer) => isNamedAsIssuer(signer, candidate) && hasSigned(search, signer, candidate)),
    );
    for (const candidate of signed) vouched.add(candidate);
    signers = signed;
  }
  return candidates.filter((candidate) => vouched.has(candidate));
}

/** Depth first: an anchor that signed the last certificate, or an intermediate that did and leads to one. */
function climb(search: Search, chain: readonly Certificate[]): readonly Certificate[] | undefined {
  for (const anchor of search.anchors) {
    if (isIssuer(search, anchor, chain)) return [...chain, anchor];
  }
  for (const intermediate of search.intermediates()) {
    if (!isIssuer(search, intermediate, chain)) continue;
    const path = climb(search, [...chain, intermediate]);
    if (path !== undefined) return path;
  }
  return undefined;
}

function note(search: Search, code: CertificatePathCode, detail?: string): false {
  if (CODES.indexOf(code) < CODES.indexOf(search.problem.code)) search.problem = { code, detail };
  return false;
}

/** Whether `issuer` has signed the last certificate of the chain, and was allowed to. */
function isIssuer(search: Search, issuer: Certificate, chain: readonly Certificate[]): boolean {
  const subject = chain.at(-1);
  if (subject === undefined || !isNamedAsIssuer(issuer, subject) || isIn(chain, issuer)) return false;
  if (chain.length > MAX_DEPTH) return note(search, "path_len", `more than ${MAX_DEPTH} authorities`);
  if (!hasSigned(search, issuer, subject)) return false;
  const problem = issuerProblem(search, issuer, chain);
  if (problem !== undefined) return note(search, problem.code, problem.detail);
  // OpenSSL's own comparison: names, the issuer's name and serial number where the key identifier has them, key usage.
  return subject.x509.checkIssued(issuer.x509);
}

function isNamedAsIssuer(issuer: Certificate, { fields }: Certificate): boolean {
  const { subjectDer, subjectKeyId } = issuer.fields;
  if (fields.authorityKeyId !== undefined && subjectKeyId !== undefined && fields.authorityKeyId !== subjectKeyId)
    return false;
  return Buffer.compare(subjectDer, fields.issuerDer) === 0;
}

/** One authority, cross-signed, is several certificates; it comes once in a path. */
const isIn = (chain: readonly Certificate[], { fields }: Certificate): boolean =>
  chain.some(
    (other) =>
      Buffer.compare(other.fields.publicKeyDer, fields.publicKeyDer) === 0 &&
      Buffer.compare(other.fields.subjectDer, fields.subjectDer) === 0,
  );

const publicKeys = new WeakMap<Certificate, KeyObject>();

/** Looks at each signature once in a search, and at none by a weak key. */
function hasSigned(search: Search, issuer: Certificate, subject: Certificate): boolean {
  const { weakness } = issuer.fields.key;
  if (weakness !== undefined) return note(search, "weak_crypto", `an issuer with ${weakness}`);
  const known = search.signatures.get(issuer) ?? new Map<Certificate, boolean>();
  const found = known.get(subject);
  if (found !== undefined) return found;
  if (search.signatureChecks >= MAX_SIGNATURE_CHECKS) {
    return note(search, "path_len", `more than ${MAX_SIGNATURE_CHECKS} signatures to check`);
  }
  search.signatureChecks++;
  const isSigned = verifies(issuer, subject);
  search.signatures.set(issuer, known.set(subject, isSigned));
  return isSigned;
}

function verifies(issuer: Certificate, subject: Certificate): boolean {
  try {
    let key = publicKeys.get(issuer);
    if (key === undefined) {
      key = issuer.x509.publicKey;
      publicKeys.set(issuer, key);
    }
    return subject.x509.verify(key);
  } catch {
    // A key or a signature that OpenSSL cannot read.
    return false;
  }
}

/** Why an authority that did sign must not have. */
function issuerProblem(search: Search, issuer: Certificate, chain: readonly Certificate[]): Problem | undefined {
  const { fields } = issuer;
  const problem = (code: CertificatePathCode, detail?: string): Problem => ({ code, detail });
  const isAuthority = fields.isAuthority && fields.keyUsage?.keyCertSign === true;
  if (!isAuthority) return problem("ca_flags", "an issuer that is no authority");
  const late = validityCode(fields, search.nowUnixMs, search.clockSkewMs);
  if (late !== undefined) return problem(late, "an issuer outside its time");
  // SPEC: RFC 5280 §4.2.1.9: authorities that issued themselves a new certificate don't count.
  const between = chain
    .slice(1)
    .filter((below) => Buffer.compare(below.fields.issuerDer, below.fields.subjectDer) !== 0);
  if (fields.pathLength !== undefined && fields.pathLength < between.length) {
    return problem("path_len", `${between.length} authorities below one that allows ${fields.pathLength}`);
  }
  const { nameConstraints, unknownCritical } = fields;
  const holds = (below: Certificate): boolean =>
    nameConstraints === undefined ||
    satisfiesNameConstraints(nameConstraints, { names: below.fields.names, subject: below.fields.subjectDer });
  if (!chain.every(holds)) return problem("name_constraints");
  if (unknownCritical.length > 0)
    return problem("critical_ext", "an issuer with a critical extension that is not known");
  if (!isSigningId(fields.uris)) return problem("signing_cert_id", "an issuer with the ID of a workload");
  if (!allowsClientAuth(fields)) return problem("eku", "an issuer for other uses than client authentication");
  // The signature on an anchor is never relied on, so its algorithm does not matter.
  const { weakness } = fields.signatureAlgorithm;
  const isAnchor = search.anchors.includes(issuer);
  return weakness === undefined || isAnchor ? undefined : problem("weak_crypto", `an issuer with ${weakness}`);
}

/** SPEC: X509-SVID §3.2: a signing certificate's SPIFFE ID, if it has one, names a trust domain. */
function isSigningId(uris: readonly string[]): boolean {
  const ids = uris.filter((uri) => uri.toLowerCase().startsWith("spiffe:"));
  return (
    ids.length <= 1 &&
    ids.every((uri) => {
      const id = parseSpiffeId(uri);
      return id.ok && id.value.path === "";
    })
  );
}
