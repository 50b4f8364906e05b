# METADATA
# title: Service-to-service allow-list
# description: >-
#   A service may be called by the SPIFFE IDs that data.json lists for it, with the methods and below the paths listed
#   there; everything else is denied.
package envoy.authz

# Deny is the start value: a missing caller, service or rule leaves it standing.
default allow := false

allow if {
	some rule in data.services[service]
	input.source_principal in rule.callers
	input.attributes.request.http.method in rule.methods
	below(rule.path)
}

# Whose Envoy asks. `source_principal` and this are the names in the two certificates of the connection, so they are true
# when Envoy verifies callers (envoy/sidecar.yaml does).
service := input.attributes.destination.principal

# The path is at or below `prefix`, compared segment by segment: `/orders` is no prefix of `/orders-archive`.
# `parsed_path` is percent-decoded: `%2F` separates, and `%2E%2E` is `..`, which would climb out again.
below(prefix) if {
	segments := split(trim_left(prefix, "/"), "/")
	array.slice(input.parsed_path, 0, count(segments)) == segments
	not climbs
}

climbs if {
	some segment in input.parsed_path
	segment in {".", ".."}
}
