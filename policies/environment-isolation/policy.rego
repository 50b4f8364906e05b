# METADATA
# title: Isolation of environments and namespaces
# description: >-
#   A caller reaches services of its own trust domain, environment and namespace only. data.json opens namespaces to
#   others of the same environment; nothing opens one environment to another. The IDs are Envoy's word
#   (`source_principal`, `destination.principal`): true where Envoy verifies certificates.
package envoy.authz

import data.svidgate.spiffe

# Deny is the start value: an ID of another form has no environment, so nothing below holds.
default allow := false

allow if {
	same_environment
	caller.namespace == service.namespace
}

allow if {
	same_environment
	caller.namespace in data.open_to[service.namespace]
}

same_environment if caller.environment == service.environment

# `/env/<environment>/ns/<namespace>/sa/<service account>` in the one trust domain that data.json names.
caller := spiffe.match(input.source_principal, data.trust_domain, template)

service := spiffe.match(input.attributes.destination.principal, data.trust_domain, template)

template := "/env/{environment}/ns/{namespace}/sa/{account}"
