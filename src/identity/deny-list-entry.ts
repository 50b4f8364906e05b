// One entry of a deny list: what it names, why, until when. docs/deny-list.md is its reference; every field is checked, and none
// that is unknown is passed over, since a misspelt `not_before` would change whom the entry denies.

import type { YamlNode, YamlProblem } from "../base/yaml.ts";
import { parseDateTime } from "./date-time.ts";
import { createIssuerSerialKey } from "./issuer-serial.ts";
import { isWorkloadId, parseSpiffeId } from "./spiffe-id.ts";

/** What an entry can name. */
export const DENY_KINDS = [
  "spiffe_id",
  "prefix",
  "trust_domain",
  "fingerprint_sha256",
  "issuer_serial",
  "jti",
] as const;
export type DenyKind = (typeof DENY_KINDS)[number];

/** One entry, as it is told in the audit event. */
export interface DenyEntry {
  /** Its `id`, or `entry-N` by its place in the list, from 1. */
  readonly id: string;
  /** For people; at most 256 characters, none of them a control character. */
  readonly reason: string;
  readonly kind: DenyKind;
  /** What the index finds it by: the form of `kind` that all writings have in common. */
  readonly key: string;
  /** In force before this moment; Infinity for `never`. */
  readonly expiresUnixMs: number;
  /** Matches only what was issued before this moment; Infinity where it was not given. */
  readonly issuedBeforeUnixMs: number;
}

const MAX_REASON_CHARS = 256;
const ID = /^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,63}$/;
const FINGERPRINT = /^(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){31})$/;
/** RFC 5280 §4.1.2.2 allows 20 bytes; some authorities take more. */
const SERIAL = /^(?:[0-9a-fA-F]{1,80}|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){0,39})$/;
const MAX_NAME_CHARS = 1024;
const NAMES: ReadonlySet<string> = new Set([
  "spiffe_id",
  "prefix",
  "trust_domain",
  "fingerprint_sha256",
  "issuer",
  "serial",
  "jti",
]);
const OTHERS: ReadonlySet<string> = new Set(["id", "reason", "expires", "not_before"]);

/** Reads the `nth` entry, from 1; tells every problem, and gives nothing when there is one. */
export function parseDenyEntry(
  node: YamlNode,
  nth: number,
  tell: (problem: YamlProblem) => void,
): DenyEntry | undefined {
  let isGood = true;
  const refuse = (offset: number, message: string): undefined => {
    isGood = false;
    tell({ offset, message });
  };
  if (node.kind !== "map") return refuse(node.offset, "an entry is a map of names and texts");
  const fields = new Map<string, Field>();
  for (const { key, offset, value } of node.entries) {
    if (!NAMES.has(key) && !OTHERS.has(key)) refuse(offset, `\`${key.slice(0, 64)}\` is no field of an entry`);
    else if (value.kind !== "scalar" || typeof value.value !== "string" || value.value === "") {
      refuse(value.offset, `\`${key}\` is a text${key === "serial" ? ": put it in quotes" : ""}`);
    } else fields.set(key, { offset: value.offset, text: value.value });
  }
  const reason = fields.get("reason");
  if (reason === undefined) refuse(node.offset, "`reason` is missing: say why");
  else if (reason.text.length > MAX_REASON_CHARS || /\p{Cc}/u.test(reason.text)) {
    refuse(reason.offset, `\`reason\` is one line of at most ${MAX_REASON_CHARS} characters`);
  }
  const id = fields.get("id");
  if (id !== undefined && !ID.test(id.text)) {
    refuse(id.offset, "`id` is at most 64 letters, digits and `._:/#-`, and begins with a letter or digit");
  }
  const expires = fields.get("expires");
  const expiresUnixMs = expires === undefined || expires.text === "never" ? Infinity : parseDateTime(expires.text);
  if (expires === undefined) refuse(node.offset, "`expires` is missing: a date, or `never`");
  else if (expiresUnixMs === undefined)
    refuse(expires.offset, "`expires` is a date such as `2026-12-01T00:00:00Z`, or `never`");
  const notBefore = fields.get("not_before");
  const issuedBeforeUnixMs = notBefore === undefined ? Infinity : parseDateTime(notBefore.text);
  if (notBefore !== undefined && issuedBeforeUnixMs === undefined) {
    refuse(notBefore.offset, "`not_before` is a date such as `2026-12-01T00:00:00Z`");
  }
  const target = readTarget(node.offset, fields, refuse);
  if (!isGood || target === undefined || reason === undefined) return undefined;
  if (expiresUnixMs === undefined || issuedBeforeUnixMs === undefined) return undefined;
  return { id: id?.text ?? `entry-${nth}`, reason: reason.text, ...target, expiresUnixMs, issuedBeforeUnixMs };
}

interface Field {
  readonly offset: number;
  readonly text: string;
}
const issuerSerialKey = createIssuerSerialKey();
type Target = Pick<DenyEntry, "kind" | "key">;
type Refuse = (offset: number, message: string) => undefined;

function readTarget(offset: number, fields: ReadonlyMap<string, Field>, refuse: Refuse): Target | undefined {
  const given = [...NAMES].filter((name) => fields.has(name));
  const issuer = fields.get("issuer");
  const serial = fields.get("serial");
  if (issuer !== undefined && serial !== undefined && given.length === 2) {
    if (!SERIAL.test(serial.text)) return refuse(serial.offset, "`serial` is hex, with or without colons");
    if (!issuer.text.includes("=") || issuer.text.length > MAX_NAME_CHARS) {
      return refuse(issuer.offset, "`issuer` is a distinguished name such as `O=SPIRE,C=US`");
    }
    return { kind: "issuer_serial", key: issuerSerialKey(issuer.text, serial.text) };
  }
  const [name = ""] = given;
  const field = fields.get(name);
  if (field === undefined || given.length > 1 || name === "issuer" || name === "serial") {
    const found = given.length === 0 ? "none is here" : `here: ${given.map((one) => `\`${one}\``).join(", ")}`;
    return refuse(
      offset,
      `an entry names one of spiffe_id, prefix, trust_domain, fingerprint_sha256, jti, or issuer with serial: ${found}`,
    );
  }
  return READERS[name]?.(field, refuse);
}

const READERS: Readonly<Record<string, (field: Field, refuse: Refuse) => Target | undefined>> = {
  spiffe_id: ({ text, offset }, refuse) => {
    const id = parseSpiffeId(text);
    if (!id.ok) return refuse(offset, `\`spiffe_id\` is no SPIFFE ID: ${id.code}`);
    if (!isWorkloadId(id.value))
      return refuse(offset, "`spiffe_id` names no workload: use `trust_domain` for all of one");
    return { kind: "spiffe_id", key: text };
  },
  prefix: ({ text, offset }, refuse) => {
    const id = text.endsWith("/*") ? parseSpiffeId(text.slice(0, -2)) : undefined;
    return id?.ok
      ? { kind: "prefix", key: text.slice(0, -2) }
      : refuse(offset, "`prefix` is a SPIFFE ID with `/*` behind it: `spiffe://example.org/ns/prod/*`");
  },
  trust_domain: ({ text, offset }, refuse) => {
    const id = parseSpiffeId(`spiffe://${text}`);
    return id.ok && !isWorkloadId(id.value)
      ? { kind: "trust_domain", key: text }
      : refuse(offset, "`trust_domain` is a bare name such as `example.org`");
  },
  fingerprint_sha256: ({ text, offset }, refuse) =>
    FINGERPRINT.test(text)
      ? { kind: "fingerprint_sha256", key: text.replaceAll(":", "").toLowerCase() }
      : refuse(offset, "`fingerprint_sha256` is 64 hex digits, with or without colons"),
  jti: ({ text, offset }, refuse) =>
    text.length <= MAX_NAME_CHARS
      ? { kind: "jti", key: text }
      : refuse(offset, `\`jti\` has more than ${MAX_NAME_CHARS} characters`),
};
