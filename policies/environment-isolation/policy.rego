# METADATA
# title: Isolation of environments and namespaces
# description: >-
#   A caller reaches services of its own trust domain, environment and namespace only. data.json opens namespaces to
#   others of the same environment; nothing opens one environment to another. Environment and namespace of the caller are
#   attributes of its verified identity; those of the service are read from `destination.principal`, the certificate of the
#   Envoy that asks.
package envoy.authz

import data.svidgate.spiffe
import data.svidgate.spiffe.identity

# Deny is the start value: a caller that is not verified, or of whom nothing is known, has no environment.
default allow := false

allow if {
	same_environment
	caller.namespace == service.namespace
}

allow if {
	same_environment
	caller.namespace in data.open_to[service.namespace]
}

same_environment if {
	identity.in_trust_domain(data.trust_domain)
	is_string(caller.environment)
	caller.environment == service.environment
}

# What svidgate took from the verified ID, or the operator's data says of it; never what a token or Envoy says.
caller := {
	"environment": identity.attribute("environment", {"pdp", "operator"}),
	"namespace": identity.attribute("namespace", {"pdp", "operator"}),
}

# `/env/<environment>/ns/<namespace>/sa/<service account>` in the one trust domain that data.json names.
service := spiffe.match(
	input.attributes.destination.principal,
	data.trust_domain,
	"/env/{environment}/ns/{namespace}/sa/{account}",
)
