// Small operands for the Go builtins: running them once at start makes V8 compile what the first request would else wait
// for, 20 to 100 ms. Builtins of private keys have none, because no key, not even an example, belongs into the source.

/** A self-signed certificate for `example`, DER in base64, valid from 2026 on. */
const CERTIFICATE = [
  "MIIBkDCCATWgAwIBAgIUFbih/AnMOteeZwHeU1KeV2G7H4QwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHZXhhbXBsZTAgFw0y",
  "NjExMjIwNzM1MjhaGA8yMTI2MTAyOTA3MzUyOFowEjEQMA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH",
  "A0IABIK5ggtWB9C21kRPTFGYIbvyTnyNm/xXGqWQdES5KRdRCZVkDnaHoIeh2iCgclvJ0wonGb46C2AHEr7e4mit4oujZzBl",
  "MB0GA1UdDgQWBBSPTixUUnUXniet9gDUxVvhAEvjvjAfBgNVHSMEGDAWgBSPTixUUnUXniet9gDUxVvhAEvjvjAPBgNVHRMB",
  "Af8EBTADAQH/MBIGA1UdEQQLMAmCB2V4YW1wbGUwCgYIKoZIzj0EAwIDSQAwRgIhAPj3lB/wNL5iWWUZt9Dxjq8+ZxjcFG96",
  "24FgLmnAWiL5AiEA34pLLFcY//zoU+NifK1LTbK/WsyN5lGR37yP3CFvy/0=",
].join("");

/** A request for such a certificate. */
const CERTIFICATE_REQUEST = [
  "MIHNMHQCAQAwEjEQMA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIK5ggtWB9C21kRPTFGYIbvy",
  "TnyNm/xXGqWQdES5KRdRCZVkDnaHoIeh2iCgclvJ0wonGb46C2AHEr7e4mit4ougADAKBggqhkjOPQQDAgNJADBGAiEAlOij",
  "mIFprY1Ws3atMOVSvjVg68ejQ/tg9WXY/ZnAnLkCIQCZJILts9KPaTc89L+OPSAwmOCOk0AWt/WXMgrJzdXiiw==",
].join("");

const CHAIN = Buffer.concat([Buffer.from(CERTIFICATE, "base64"), Buffer.from(CERTIFICATE, "base64")]).toString(
  "base64",
);
const GRAPHQL_SCHEMA = "type Query { a(x: Int): A } type A { b: String c: [A!]! } enum E { X Y }";
const GRAPHQL_QUERY = "query Q($x: Int) { a(x: $x) { b c { ...F } } } fragment F on A { b }";
const YAML = 'a: &a {b: 1, c: [x, 2.5, true, "q\\n"]}\nd:\n  <<: *a\n  e: |\n    text\n  f: [~, 0x1F, 2026-01-01]\n';
const JSON_SCHEMA = {
  type: "object",
  properties: {
    a: { type: "string", pattern: "^[a-z]+$" },
    b: { type: "array", items: { type: "integer", minimum: 1 } },
  },
  required: ["a", "c"],
};

/** Instant of the calls, nanoseconds since 1970: the certificate is valid then. */
export const WARM_UP_UNIX_NS = 1_800_000_000_000_000_000n;

/** Operands by builtin; JSON, so value text as well. */
export const WARM_UP: Readonly<Record<string, readonly unknown[]>> = {
  "crypto.x509.parse_and_verify_certificates": [CHAIN],
  "crypto.x509.parse_and_verify_certificates_with_options": [CHAIN, { DNSName: "example", KeyUsages: ["KeyUsageAny"] }],
  "crypto.x509.parse_certificate_request": [CERTIFICATE_REQUEST],
  "crypto.x509.parse_certificates": [CERTIFICATE],
  "graphql.is_valid": [GRAPHQL_QUERY, GRAPHQL_SCHEMA],
  "graphql.parse": [GRAPHQL_QUERY, GRAPHQL_SCHEMA],
  "graphql.parse_and_verify": [GRAPHQL_QUERY, GRAPHQL_SCHEMA],
  "graphql.parse_query": [GRAPHQL_QUERY],
  "graphql.parse_schema": [GRAPHQL_SCHEMA],
  "graphql.schema_is_valid": [GRAPHQL_SCHEMA],
  "json.match_schema": [{ a: "x", b: [1, 0, "y"] }, JSON_SCHEMA],
  "json.verify_schema": [JSON_SCHEMA],
  "rego.parse_module": ["example.rego", 'package example\n\nallow if { some x in input.a; x == "b" }\n'],
  "strings.render_template": ['{{range .a}}{{.}} {{end}}{{if .b}}{{printf "%v" .b}}{{end}}', { a: [1, 2], b: "c" }],
  "yaml.is_valid": [YAML],
  "yaml.unmarshal": [YAML],
};
