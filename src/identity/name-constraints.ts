// Name constraints: which names an authority may put into the certificates below it.
// SPEC: RFC 5280 §4.2.1.10, for URI, DNS and IP names. Excluded beats permitted. A constraint on any other kind of name, and one
// that is not written as the RFC wants it, cannot be judged here: every certificate with a name of that kind is refused.
// It looks at one authority and one certificate; which pairs are to be looked at is the path's business.

import type { DerElement } from "../base/der.ts";
import { children, content, malformed, sequence } from "./der-reader.ts";

/** Identifier octets of names. */
export const NAME = { email: 0x81, dns: 0x82, directory: 0xa4, uri: 0x86, ip: 0x87 } as const;

/** One constraint: the identifier octet of the kind of name, and what is permitted or excluded. */
interface Subtree {
  readonly tag: number;
  readonly base: Uint8Array;
}

/** The content of the extension. */
export interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}

/** The names of a certificate that constraints apply to. */
export interface ConstrainedNames {
  readonly names: readonly { readonly tag: number; readonly value: Uint8Array }[];
  /** DER of the whole Name. */
  readonly subject: Uint8Array;
}

type Verdict = "inside" | "outside" | "unclear";

/** Bounds the work: names times constraints of a pair of certificates. */
const MAX_SUBTREES = 128;
const MAX_COMPARISONS = 4_096;
const EMAIL_ADDRESS = Buffer.from("06092a864886f70d010901", "hex");

/** Reads the extension's value; malformed when it permits and excludes nothing. */
export function readNameConstraints(der: Uint8Array, element: DerElement): NameConstraints {
  const parts = sequence(der, element);
  const permitted = parts.find(({ tag }) => tag === 0xa0);
  const excluded = parts.find(({ tag }) => tag === 0xa1);
  const count = Number(permitted !== undefined) + Number(excluded !== undefined);
  if (count === 0 || count !== parts.length || (count === 2 && parts[0] !== permitted)) malformed();
  return { permitted: subtrees(der, permitted), excluded: subtrees(der, excluded) };
}

function subtrees(der: Uint8Array, list: DerElement | undefined): readonly Subtree[] {
  if (list === undefined) return [];
  const found = children(der, list).map((subtree) => {
    // A minimum of zero is not written in DER, and RFC 5280 knows no maximum.
    const [base, ...rest] = sequence(der, subtree);
    return base === undefined || rest.length > 0 ? malformed() : { tag: base.tag, base: content(der, base) };
  });
  return found.length === 0 || found.length > MAX_SUBTREES ? malformed() : found;
}

/** Whether the constraints hold for every name of the certificate. */
export function satisfiesNameConstraints(constraints: NameConstraints, { names, subject }: ConstrainedNames): boolean {
  const subtrees = [...constraints.permitted, ...constraints.excluded];
  if (names.length * subtrees.length > MAX_COMPARISONS) return false;
  const kinds = new Set(subtrees.map(({ tag }) => tag));
  // SPEC: constraints on directory names hold for the subject too, those on mail for an address in it.
  if (kinds.has(NAME.directory) && subject.length > 2) return false;
  if (kinds.has(NAME.email) && Buffer.from(subject).includes(EMAIL_ADDRESS)) return false;
  return names.every(({ tag, value }) => {
    if (!kinds.has(tag)) return true;
    const compare = COMPARE[tag];
    if (compare === undefined) return false;
    const verdicts = (list: readonly Subtree[]) =>
      list.filter((subtree) => subtree.tag === tag).map(({ base }) => compare(value, base));
    if (verdicts(constraints.excluded).some((verdict) => verdict !== "outside")) return false;
    const allowed = verdicts(constraints.permitted);
    return allowed.length === 0 || allowed.includes("inside");
  });
}

const COMPARE: Readonly<Record<number, (name: Uint8Array, base: Uint8Array) => Verdict>> = {
  [NAME.uri]: compareUri,
  [NAME.dns]: compareDns,
  [NAME.ip]: compareIp,
};

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1").toLowerCase();
const HOST = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
const IP = /^(?:\d{1,3}\.){3}\d{1,3}$/;

/** SPEC: the host of the URI is the constraint, or, when that begins with a dot, ends with it; a URI without a host fails. */
function compareUri(name: Uint8Array, base: Uint8Array): Verdict {
  const constraint = text(base);
  const [, authority = ""] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/.exec(text(name)) ?? [];
  const host = authority.slice(authority.lastIndexOf("@") + 1).replace(/:\d*$/, "");
  const isBelow = constraint.startsWith(".");
  if (!HOST.test(isBelow ? constraint.slice(1) : constraint) || host === "" || host.includes(":") || IP.test(host)) {
    return "unclear";
  }
  return (isBelow ? host.length > constraint.length && host.endsWith(constraint) : host === constraint)
    ? "inside"
    : "outside";
}

/** SPEC: a DNS name is inside when it is the constraint or has more labels before it; the empty constraint is every name. */
function compareDns(name: Uint8Array, base: Uint8Array): Verdict {
  const host = text(name);
  const constraint = text(base).replace(/^\./, "");
  const isWildcard = host.startsWith("*.");
  const labels = isWildcard ? host.slice(2) : host;
  if (!HOST.test(labels) || (constraint !== "" && !HOST.test(constraint))) return "unclear";
  const isIn = (inner: string, outer: string) => outer === "" || inner === outer || inner.endsWith(`.${outer}`);
  if (isIn(labels, constraint)) return "inside";
  // SECURITY: `*.example.org` also names what a constraint on `secret.example.org` is about.
  return isWildcard && isIn(constraint, labels) ? "unclear" : "outside";
}

/** SPEC: an address, then a mask as long as itself. */
function compareIp(name: Uint8Array, base: Uint8Array): Verdict {
  if ((name.length !== 4 && name.length !== 16) || (base.length !== 8 && base.length !== 32)) return "unclear";
  if (base.length !== name.length * 2) return "outside";
  const inside = name.every((byte, at) => {
    const mask = base[name.length + at] ?? 0xff;
    return (byte & mask) === ((base[at] ?? 0) & mask);
  });
  return inside ? "inside" : "outside";
}
