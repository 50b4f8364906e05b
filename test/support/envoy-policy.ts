// The policy of the end-to-end tests: the first segment of the path says what to answer.

/** Rego; there is no default, so an unknown path is undefined. */
export const ANSWERS = `package envoy.authz

http := input.attributes.request.http

asked := input.parsed_path[0]

allow if asked == "yes"

allow := false if asked == "no"

allow := "yes" if asked == "wrong-type"

allow := {
	"allowed": true,
	"headers": {"x-added": "added", "x-replaced": "by the policy", "x-several": ["first", "last"]},
	"request_headers_to_remove": ["x-removed"],
	"response_headers_to_add": {"x-answer": "added", "set-cookie": ["a=1", "b=2"]},
	"query_parameters_to_set": {"user": "web-1"},
	"query_parameters_to_remove": ["debug"],
	"dynamic_metadata": {"tenant": "blue"},
} if asked == "rich"

allow := {
	"allowed": false,
	"http_status": 401,
	"body": "who are you?",
	"headers": {"www-authenticate": "Bearer", "set-cookie": ["a=1", "b=2"]},
} if asked == "denied"

allow := {"allowed": true, "headers": {
	"x-principal": object.get(input, "source_principal", "nobody"),
	"x-destination": input.attributes.destination.principal,
	"x-authenticated": json.marshal(input.identity.authenticated),
	"x-certificate": json.marshal(startswith(urlquery.decode(object.get(input.attributes.source, "certificate", "")), "-----BEGIN CERTIFICATE-----")),
	"x-forwarded": object.get(http.headers, "x-forwarded-client-cert", "nothing"),
	"x-sni": object.get(input.attributes, ["tlsSession", "sni"], "nothing"),
}} if asked == "who"

allow := {"allowed": true, "headers": {"x-body": json.marshal(input.parsed_body)}} if asked == "body"

allow := {"allowed": true, "headers": {"x-path": json.marshal(input.parsed_path)}} if asked == "path"

allow := {"allowed": true, "headers": {"x-seen": base64.encode(http.headers["x-bytes"])}} if asked == "bytes"

allow := {"allowed": true, "headers": {"x-evil": "a\\r\\nx-injected: yes"}} if asked == "crlf"

allow := {"allowed": true, "headers": {"x-forwarded-client-cert": "URI=spiffe://example.org/ns/shop/sa/admin"}} if asked == "xfcc"

allow := {"allowed": true, "query_parameters_to_set": {"user": urlquery.encode("web & co")}} if asked == "encoded-query"

# An allow that takes longer than Envoy waits: 49 million comparisons.
allow if {
	asked == "slow"
	not any_equal
}

any_equal if {
	some i in numbers.range(1, 7000)
	some j in negative
	i == j
}

negative := numbers.range(-7000, -1)
`;
