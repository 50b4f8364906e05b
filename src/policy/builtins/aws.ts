// `providers.aws.sign_req`: signs a request in the form of `http.send` with AWS Signature Version 4 (v1/topdown/providers.go,
// internal/providers/aws/signing_v4.go). Pure: nothing is sent, and the time is an operand.
// SPEC: docs.aws.amazon.com/general/latest/gr/sigv4_signing.html, with OPA's choices: header values and query as they are.

import { createHash, createHmac } from "node:crypto";
import {
  compareStrings,
  fromLatin1,
  RegoObject,
  RegoSet,
  toBytes,
  toLatin1,
  toWellFormed,
  type Value,
} from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { marshalJson } from "./json-marshal.ts";
import { numberOperand, objectOperand, operandError, toInt64 } from "./operands.ts";
import { toOpaText } from "./sprintf.ts";
import { escapePath, parseUri } from "./uri.ts";

const REQUIRED_CONFIG = ["aws_access_key", "aws_region", "aws_secret_access_key", "aws_service"] as const;
const REQUIRED_REQUEST = ["method", "url"] as const;
/** What `http.send` takes. */
const ALLOWED_REQUEST: ReadonlySet<Value> = new Set(
  (
    "method url body enable_redirect force_json_decode force_yaml_decode headers raw_body tls_use_system_certs " +
    "tls_ca_cert tls_ca_cert_file tls_ca_cert_env_variable tls_client_cert tls_client_cert_file " +
    "tls_client_cert_env_variable tls_client_key tls_client_key_file tls_client_key_env_variable " +
    "tls_insecure_skip_verify tls_server_name timeout cache force_cache force_cache_duration_seconds raise_error " +
    "caching_mode max_retry_attempts cache_ignored_headers"
  ).split(" "),
);
/** Proxies change these on the way. */
const UNSIGNED_HEADERS: ReadonlySet<string> = new Set(["authorization", "user-agent", "x-amzn-trace-id"]);
/** Services that want the body's digest as a header. */
const DIGEST_SERVICES: ReadonlySet<string> = new Set(["s3", "glacier"]);

const listed = (names: readonly Value[]): string => toOpaText(RegoSet.of(names));

function refuse(operand: number, what: string, names: readonly Value[]): void {
  if (names.length > 0) throw new BuiltinError(`operand ${operand} ${what}: ${listed(names)}`);
}

const textOf = (value: Value | undefined): string => (typeof value === "string" ? value : "");

interface SigningConfig {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  readonly service: string;
  readonly sessionToken: string;
}

function readConfig(config: RegoObject): SigningConfig {
  const missing = REQUIRED_CONFIG.filter((name) => config.get(name) === undefined);
  refuse(2, "missing required AWS config parameters(s)", missing);
  const invalid = REQUIRED_CONFIG.filter((name) => typeof config.get(name) !== "string");
  refuse(2, "invalid values for required AWS config parameters(s)", invalid);
  return {
    accessKey: textOf(config.get("aws_access_key")),
    secretKey: textOf(config.get("aws_secret_access_key")),
    region: textOf(config.get("aws_region")),
    service: textOf(config.get("aws_service")),
    sessionToken: textOf(config.get("aws_session_token")),
  };
}

function checkRequest(request: RegoObject): void {
  const names = request.entries.map(([name]) => name);
  const unknown = names.filter((name) => !ALLOWED_REQUEST.has(name));
  refuse(1, "invalid request parameters(s)", unknown);
  const missing = REQUIRED_REQUEST.filter((name) => request.get(name) === undefined);
  refuse(1, "missing required request parameters(s)", missing);
}

/** Headers as OPA takes them: what is no string is "". */
function headersOf(request: RegoObject): Map<string, string> {
  const headers = request.get("headers");
  if (headers === undefined) return new Map();
  if (!(headers instanceof RegoObject)) throw operandError([headers], 0, "object");
  return new Map(headers.entries.map(([name, value]) => [textOf(name), textOf(value)]));
}

function bodyOf(request: RegoObject): Buffer {
  const raw = request.get("raw_body");
  if (raw !== undefined) return toBytes(textOf(raw));
  const body = request.get("body");
  return body === undefined ? Buffer.alloc(0) : Buffer.from(marshalJson(body), "utf8");
}

function isPayloadUnsigned(config: RegoObject): boolean {
  const value = config.get("disable_payload_signing");
  if (value === undefined) return false;
  if (typeof value === "boolean") return value;
  throw new BuiltinError("operand 2 invalid value for 'disable_payload_signing' in AWS config");
}

/** What is signed of a URL. */
interface SignedUrl {
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

/** SPEC: Go's `URL.EscapedPath`: as written where that is a valid encoding, else escaped afresh. */
function toSignedUrl(text: string): SignedUrl {
  const url = toLatin1(text);
  const { host, path, rawQuery } = parseUri(url);
  const isOpaque = /^[A-Za-z][A-Za-z0-9+\-.]*:(?!\/)/.test(url);
  const written = /^(?:[A-Za-z][A-Za-z0-9+\-.]*:)?(?:\/\/[^/?#]*)?([^?#]*)/.exec(url)?.[1] ?? "";
  const isValid = /^[A-Za-z0-9\-._~!$&'()*+,;=:@[\]%/]*$/.test(written);
  const escaped = isOpaque ? "" : isValid ? written : escapePath(path);
  return { host: fromLatin1(host), path: fromLatin1(escaped), query: fromLatin1(rawQuery) };
}

const sha256 = (text: Buffer): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(toBytes(text)).digest();

/** `20151228T140825Z`. */
function toAmzDate(unixNs: bigint): string {
  const unixSeconds = (unixNs - (((unixNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n;
  return new Date(Number(unixSeconds) * 1_000).toISOString().replace(/[-:]|\.\d+/g, "");
}

/** Everything that a signature covers. */
interface Signable {
  readonly method: string;
  readonly url: SignedUrl;
  /** Sorted, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly contentSha256: string;
  readonly amzDate: string;
}

/** The `Authorization` header. */
function authorize(signable: Signable, config: SigningConfig): string {
  const { method, url, headers, contentSha256, amzDate } = signable;
  const names = headers.map(([name]) => name).join(";");
  const lines = headers.map(([name, value]) => `${name}:${value}\n`).join("");
  const canonical = `${method}\n${url.path}\n${url.query}\n${lines}\n${names}\n${contentSha256}`;
  const day = amzDate.slice(0, 8);
  const scope = `${day}/${config.region}/${config.service}/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${sha256(toBytes(canonical))}`;
  const key = [day, config.region, config.service, "aws4_request"].reduce(hmac, toBytes(`AWS4${config.secretKey}`));
  const signature = hmac(key, toSign).toString("hex");
  return `AWS4-HMAC-SHA256 Credential=${config.accessKey}/${scope},SignedHeaders=${names},Signature=${signature}`;
}

function signRequest(request: RegoObject, options: RegoObject, timeNs: () => bigint): RegoObject {
  const config = readConfig(options);
  const amzDate = toAmzDate(timeNs());
  checkRequest(request);
  const headers = headersOf(request);
  const [method, url] = [request.get("method"), request.get("url")];
  if (typeof method !== "string" || typeof url !== "string") {
    const invalid = REQUIRED_REQUEST.filter((name) => typeof request.get(name) !== "string");
    throw new BuiltinError(`operand 1 invalid values for required request parameters(s): ${listed(invalid)}`);
  }
  const signedUrl = toSignedUrl(url);
  const body = bodyOf(request);
  const contentSha256 = isPayloadUnsigned(options) ? "UNSIGNED-PAYLOAD" : sha256(body);
  const added = new Map([
    ["host", signedUrl.host],
    ["x-amz-date", amzDate],
  ]);
  if (DIGEST_SERVICES.has(config.service)) added.set("x-amz-content-sha256", contentSha256);
  if (config.sessionToken !== "") added.set("x-amz-security-token", config.sessionToken);
  const signed = new Map(added);
  for (const [name, value] of headers) {
    const lowered = toWellFormed(name).toLowerCase();
    if (!UNSIGNED_HEADERS.has(lowered)) signed.set(lowered, value);
  }
  const sorted = [...signed].sort(([a], [b]) => compareStrings(a, b));
  const authorization = authorize({ method, url: signedUrl, headers: sorted, contentSha256, amzDate }, config);
  const sent = RegoObject.of([...headers, ["Authorization", authorization], ...added]);
  return RegoObject.of([...request.entries, ["headers", sent]]);
}

/** `providers.aws.sign_req(request, aws_config, time_ns)`: the request with signed headers. */
export const awsBuiltins: BuiltinFamily = {
  "providers.aws.sign_req": (args) =>
    signRequest(objectOperand(args, 0), objectOperand(args, 1), () => {
      const time = toInt64(numberOperand(args, 2));
      if (time === undefined) {
        throw new BuiltinError("operand 3 could not convert time_ns value into a unix timestamp");
      }
      return time;
    }),
};
