// The kinds of fields that name workloads, trust domains and where their keys come from. The grammars are narrow enough that a
// slip is found at the start; the last word on a SPIFFE ID has identity/spiffe-id.ts, which no folder beside it may import.
// SPEC: SPIFFE-ID §2, SPIFFE Federation §5 (https only, no userinfo), SPIFFE Workload Endpoint §4 (addresses).

import { fail, ok, type Result } from "../base/result.ts";
import type { FieldParser, NameKind, ValueSchema } from "./field.ts";
import { nearest } from "./nearest.ts";

const invalid = (detail: string): Result<never, "field_invalid"> => fail("field_invalid", detail);

/** Any text that a pattern matches as a whole; `toValue` makes the value of it. */
const matching = <T>(pattern: string, detail: string, toValue: (text: string) => T): FieldParser<T> => {
  const whole = new RegExp(pattern);
  const schema: ValueSchema = { type: "string", pattern };
  return Object.assign((value: string) => (whole.test(value) ? ok(toValue(value)) : invalid(detail)), { schema });
};

const SEGMENT = "(?!\\.{1,2}(/|$))[A-Za-z0-9._-]+";
const TRUST_DOMAIN = "[a-z0-9._-]{1,255}";

/** The names of trust domains, which may hold dots. */
export const trustDomainNames: NameKind = {
  placeholder: "TRUST_DOMAIN",
  pattern: `^${TRUST_DOMAIN}$`,
  expected: "a trust domain: 1 to 255 of a-z, 0-9, dot, dash and underscore, without spiffe://",
};

/** One trust domain. */
export const trustDomain: FieldParser<string> = matching(
  `^${TRUST_DOMAIN}$`,
  trustDomainNames.expected,
  (text) => text,
);

/** The names of workload attributes. */
export const attributeNames: NameKind = {
  placeholder: "NAME",
  pattern: "^[a-z][a-z0-9_]{0,63}$",
  expected: "an attribute's name: a lower-case letter, then letters, digits and underscores, 64 at most",
};

/** A SPIFFE ID with or without a path. */
export const spiffeId: FieldParser<string> = matching(
  `^(?=.{1,2048}$)spiffe://${TRUST_DOMAIN}(/${SEGMENT})*$`,
  "expected a SPIFFE ID such as spiffe://example.org/ns/web/sa/shop",
  (text) => text,
);

/** A header's name, lower-cased as Envoy sends it; no pseudo-header. */
export const headerName: FieldParser<string> = matching(
  "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$",
  "expected a header's name such as x-workload-token",
  (text) => text.toLowerCase(),
);

/** A place in Envoy's dynamic metadata. */
export interface MetadataKey {
  /** A filter's name, such as `envoy.filters.http.jwt_authn`. */
  readonly namespace: string;
  readonly key: string;
}

/** `NAMESPACE/KEY`; a key may hold further slashes. */
export const metadataKey: FieldParser<MetadataKey> = matching(
  "^[^/\\x00-\\x20\\x7f]{1,256}/[^\\x00-\\x1f\\x7f]{1,256}$",
  "expected NAMESPACE/KEY such as envoy.filters.http.jwt_authn/token",
  (text) => ({ namespace: text.slice(0, text.indexOf("/")), key: text.slice(text.indexOf("/") + 1) }),
);

/** Where the SPIFFE Workload API listens. */
export const workloadApiAddress: FieldParser<string> = matching(
  "^(unix:///[^?#\\x00-\\x1f\\x7f]{1,107}|tcp://(\\d{1,3}(\\.\\d{1,3}){3}|\\[[0-9a-fA-F:.]{2,45}\\]):[1-9]\\d{0,4})$",
  "expected unix:///absolute/path/of/the.sock or tcp://IP:PORT",
  (text) => text,
);

/** What a trust domain's `bundle` says; what a URL needs beside it is in `trust-domains.ts`. */
export type BundleLocation =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "workload_api" }
  | { readonly kind: "url"; readonly url: string };

/** A path, `workload_api` or an https URL. Anything else with a scheme is refused: it is no path that somebody meant. */
export const bundleLocation: FieldParser<BundleLocation> = Object.assign(
  (value: string): Result<BundleLocation, "field_invalid"> => {
    if (value === "") return invalid("must not be empty");
    if (value === "workload_api") return ok({ kind: "workload_api" });
    if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(value)) return parseBundleUrl(value);
    if (/^[\w.-]+$/.test(value) && nearest(value.toLowerCase(), ["workload_api"]) !== undefined) {
      return invalid(`did you mean workload_api? A file of this name is \`./${value}\``);
    }
    return ok({ kind: "file", path: value });
  },
  { schema: { type: "string", minLength: 1 } as const },
);

function parseBundleUrl(value: string): Result<BundleLocation, "field_invalid"> {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === "http:") return invalid("trust bundles are fetched over https:// only");
  if (url?.protocol !== "https:") return invalid("expected a path, workload_api or a URL that begins with https://");
  if (url.username !== "" || url.password !== "") return invalid("a URL must not hold credentials: take them out");
  if (url.hash !== "") return invalid("a URL without fragment is expected");
  return ok({ kind: "url", url: url.href });
}
