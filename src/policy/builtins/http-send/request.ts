// The operand of `http.send` → a request. SPEC: OPA 1.22.2, v1/topdown/http.go: the members that there are, their types, what
// beats what. Nothing is read or connected to here.

import { printValue, RegoNumber, RegoObject, RegoSet, toJson, toLatin1, type Value } from "../../value.ts";
import { HttpFailure, invalid, invalidOperand } from "./failure.ts";
import {
  booleanMember,
  forceSecondsMember,
  kindOf,
  lenientBooleanMember,
  retriesMember,
  stringMember,
  timeoutMember,
} from "./options.ts";
import { parseTarget, type Target } from "./target.ts";

/** Where a PEM text comes from: the policy, a file, the environment. */
export type PemKind = "pem" | "file" | "env";

/** A certificate authority or a client certificate as the policy names it. */
export interface TlsWishes {
  readonly useSystemCertificates: boolean;
  readonly caCertificates: readonly (readonly [kind: PemKind, text: string])[];
  /** The last complete pair counts. */
  readonly clientCertificates: readonly (readonly [kind: PemKind, certificate: string, key: string])[];
  readonly skipVerify: boolean;
  readonly serverName: string | undefined;
}

/** Header names in Go's canonical form with values as byte text. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** A request that can be made. */
export interface HttpSendRequest {
  readonly method: string;
  readonly target: Target;
  readonly body: string | undefined;
  readonly headers: HeaderList;
  /** What the policy wants to be called; else the target's own authority. */
  readonly hostHeader: string | undefined;
  readonly tls: TlsWishes;
  /** Undefined is no end but the decision's. */
  readonly timeoutMs: number | undefined;
  readonly retries: number;
  readonly followsRedirects: boolean;
  readonly forceJson: boolean;
  readonly forceYaml: boolean;
  /** Undefined when answers are not kept for other decisions; `forceSeconds` above 0 overrules what the answer says. */
  readonly caching: { readonly forceSeconds: number; readonly mayStore: boolean } | undefined;
}

/** An operand with the key under which its answer is remembered. */
export interface KeyedRequest {
  readonly key: string;
  readonly request: HttpSendRequest;
  /** The request that asks whether a remembered answer still holds: SPEC: OPA makes it without the ignored headers. */
  readonly revalidation: HttpSendRequest;
}

const MEMBERS: ReadonlySet<string> = new Set([
  "method",
  "url",
  "body",
  "enable_redirect",
  "force_json_decode",
  "force_yaml_decode",
  "headers",
  "raw_body",
  "tls_use_system_certs",
  "tls_ca_cert",
  "tls_ca_cert_file",
  "tls_ca_cert_env_variable",
  "tls_client_cert",
  "tls_client_cert_file",
  "tls_client_cert_env_variable",
  "tls_client_key",
  "tls_client_key_file",
  "tls_client_key_env_variable",
  "tls_insecure_skip_verify",
  "tls_server_name",
  "timeout",
  "cache",
  "force_cache",
  "force_cache_duration_seconds",
  "raise_error",
  "caching_mode",
  "max_retry_attempts",
  "cache_ignored_headers",
]);

const PEM_SUFFIXES: readonly (readonly [PemKind, string])[] = [
  ["pem", ""],
  ["file", "_file"],
  ["env", "_env_variable"],
];

/** Reads the operand. Throws HttpFailure. */
export function parseRequest(operand: RegoObject): KeyedRequest {
  const unknown = operand.entries.map(([name]) => name).filter((name) => !MEMBERS.has(name as string));
  if (unknown.length > 0) throw invalidOperand(`invalid request parameters(s): ${printValue(RegoSet.of(unknown))}`);
  const missing = ["method", "url"].filter((name) => operand.get(name) === undefined);
  if (missing.length > 0)
    throw invalidOperand(`missing required request parameters(s): ${printValue(RegoSet.of(missing))}`);
  const kept = withoutIgnoredHeaders(operand);
  const request = toRequest(operand);
  return { key: printValue(kept), request, revalidation: toRequest(kept) };
}

/** Whether failures are raised; a member that is no boolean always is. Throws HttpFailure. */
export function raisesErrors(operand: RegoObject): boolean {
  const value = operand.get("raise_error");
  if (value !== undefined && typeof value !== "boolean") throw invalid("invalid value for raise_error field");
  return value ?? true;
}

function withoutIgnoredHeaders(operand: RegoObject): RegoObject {
  const ignored = operand.get("cache_ignored_headers");
  const headers = operand.get("headers");
  const changes: [Value, Value][] = [["cache_ignored_headers", null]];
  if (ignored !== undefined && headers !== undefined) {
    if (!Array.isArray(ignored) || !ignored.every((name) => typeof name === "string"))
      throw new HttpFailure("invalid", "cache_ignored_headers must be an array of strings");
    if (!(headers instanceof RegoObject)) throw invalid("invalid type for headers key");
    const names: ReadonlySet<Value> = new Set(ignored);
    changes.push(["headers", RegoObject.of(headers.entries.filter(([name]) => !names.has(name)))]);
  }
  return RegoObject.of([...operand.entries, ...changes]);
}

function toRequest(operand: RegoObject): HttpSendRequest {
  const caching = toCaching(operand);
  const forceJson = booleanMember(operand, "force_json_decode");
  const forceYaml = booleanMember(operand, "force_yaml_decode");
  const method = (stringMember(operand, "method") ?? "").toUpperCase() || "GET";
  const url = stringMember(operand, "url") ?? "";
  const { headers, hostHeader } = toHeaders(operand.get("headers"));
  const timeoutNs = timeoutMember(operand);
  const followsRedirects = lenientBooleanMember(operand, "enable_redirect");
  const tls = toTlsWishes(operand, hostHeader);
  const body = toBody(operand);
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method))
    throw invalid(`net/http: invalid method ${JSON.stringify(method)}`);
  if (method === "CONNECT") throw invalid("the method CONNECT is not supported");
  const target = parseTarget(method, url);
  return {
    method,
    target,
    body,
    headers,
    hostHeader,
    tls,
    timeoutMs: timeoutNs > 0n ? Number(timeoutNs) / 1e6 : undefined,
    retries: retriesMember(operand),
    followsRedirects,
    forceJson,
    forceYaml,
    caching,
  };
}

function toCaching(operand: RegoObject): HttpSendRequest["caching"] {
  const wants = booleanMember(operand, "cache");
  const forces = booleanMember(operand, "force_cache");
  if (!wants && !forces) return undefined;
  const forceSeconds = forces ? forceSecondsMember(operand) : 0;
  const mode = operand.get("caching_mode") ?? "serialized";
  // SPEC: both modes are the same here; OPA keeps nothing under another one.
  return { forceSeconds, mayStore: mode === "serialized" || mode === "deserialized" };
}

/** `raw_body` beats `body`, which goes out as Go's encoder writes it. */
function toBody(operand: RegoObject): string | undefined {
  const raw = stringMember(operand, "raw_body");
  const body = operand.get("body");
  if (raw !== undefined) return raw;
  if (body === undefined) return undefined;
  return toJson(body).replace(/[<>&\u2028\u2029]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Go writes these itself, and passes over what a policy says of them. SECURITY: no policy can frame a message its own way. */
const OWN_HEADERS: ReadonlySet<string> = new Set(["Host", "Content-Length", "Transfer-Encoding", "Trailer"]);
/** SPEC: Go's `ValidHostHeader`. */
const HOST_HEADER = /^[!$%&'()*+,\-.0-9:;=A-Z[\]_a-z~]+$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function toHeaders(value: Value | undefined): Pick<HttpSendRequest, "headers" | "hostHeader"> {
  if (value === undefined) return { headers: [], hostHeader: undefined };
  if (!(value instanceof RegoObject)) throw invalid("invalid type for headers key");
  const headers = new Map<string, string>();
  for (const [key, text] of value.entries) {
    if (typeof text !== "string") throw invalidHeaderType(text);
    const name = canonicalHeaderName(typeof key === "string" ? key : printValue(key));
    if (!TOKEN.test(name)) throw invalid(`net/http: invalid header field name ${JSON.stringify(name)}`);
    const bytes = toLatin1(text);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these end or break a header
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(bytes))
      throw invalid(`net/http: invalid header field value for ${JSON.stringify(name)}`);
    headers.set(name, bytes.replace(/^[ \t]+|[ \t]+$/g, ""));
  }
  const hostHeader = headers.get("Host") || undefined;
  if (hostHeader !== undefined && !HOST_HEADER.test(hostHeader)) throw invalid("http: invalid Host header");
  return { headers: [...headers].filter(([name]) => !OWN_HEADERS.has(name)), hostHeader };
}

/** SECURITY: a value is a credential more often than not; what is raised goes to logs, so only numbers and such are shown. */
function invalidHeaderType(value: Value): HttpFailure {
  const sentence = (shown: string): string => `invalid type for headers value ${shown}`;
  const isPlain = value === null || typeof value === "boolean" || value instanceof RegoNumber;
  return new HttpFailure("invalid", sentence(isPlain ? printValue(value) : `of type ${kindOf(value)}`), {
    told: `eval_builtin_error: http.send: ${sentence(printValue(value))}`,
  });
}

/** SPEC: Go's `CanonicalHeaderKey`: `x-REQUEST-id` is `X-Request-Id`; what is no token stays as it is. */
export const canonicalHeaderName = (name: string): string =>
  TOKEN.test(name) ? name.toLowerCase().replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase()) : name;

function toTlsWishes(operand: RegoObject, hostHeader: string | undefined): TlsWishes {
  const read = (name: string): string => stringMember(operand, name) ?? "";
  return {
    useSystemCertificates: lenientBooleanMember(operand, "tls_use_system_certs"),
    caCertificates: PEM_SUFFIXES.map(([kind, suffix]) => [kind, read(`tls_ca_cert${suffix}`)] as const)
      .filter(([, text]) => text !== "")
      .map(([kind, text]) => [kind, kind === "pem" ? text.replaceAll("\\n", "\n") : text] as const),
    clientCertificates: PEM_SUFFIXES.map(
      ([kind, suffix]) => [kind, read(`tls_client_cert${suffix}`), read(`tls_client_key${suffix}`)] as const,
    ).filter(([, certificate, key]) => certificate !== "" && key !== ""),
    skipVerify: lenientBooleanMember(operand, "tls_insecure_skip_verify"),
    serverName: read("tls_server_name") || hostHeader,
  };
}
