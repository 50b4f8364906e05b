# METADATA
# title: Roles of namespaces
# description: >-
#   data.json gives namespaces roles on resources (the first segment of the path) and says which methods a role may use.
#   The answer is an object: the service is told the role, and a denied caller is told what is missing.
package envoy.authz

# Deny is the start value; it never says more than that.
default allow := {"allowed": false, "http_status": 403}

allow := {
	"allowed": true,
	# What a caller sends under this name is overwritten, so the service can believe it.
	"headers": {"x-caller-role": concat(",", sort(granted)), "x-caller-namespace": namespace},
	# A cookie is of no use to a service and a credential all the same.
	"request_headers_to_remove": ["cookie"],
	"dynamic_metadata": {"namespace": namespace, "roles": sort(granted)},
} if {
	count(granted) > 0
}

allow := {
	"allowed": false,
	"http_status": 403,
	"headers": {"content-type": "application/json"},
	"body": json.marshal({"error": "forbidden", "message": sprintf("namespace %s may not %s this", [namespace, method])}),
} if {
	count(granted) == 0
}

# The roles of the caller's namespace on this resource that include the method.
granted contains role if {
	some role in data.namespaces[namespace][resource]
	method in data.roles[role].methods
}

method := input.attributes.request.http.method

resource := input.parsed_path[0]

# `spiffe://example.org/ns/<namespace>/sa/<service account>`, and nothing else, names a namespace.
namespace := parts[1] if {
	prefix := sprintf("spiffe://%s/", [data.trust_domain])
	startswith(input.source_principal, prefix)
	parts := split(trim_prefix(input.source_principal, prefix), "/")
	count(parts) == 4
	parts[0] == "ns"
	parts[2] == "sa"
}
