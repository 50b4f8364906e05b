# METADATA
# title: Denial by attestation level
# description: >-
#   A path needs a level of attestation: how well it was proved that the caller is the workload it says. The level comes
#   from an attribute of the verified identity, or from data.json by the form of the SPIFFE ID. Only `input.identity` counts,
#   and only when it is authenticated: what nobody verified has no level, so it reaches nothing.
package envoy.authz

import data.svidgate.http
import data.svidgate.spiffe

# Deny is the start value: nobody verified, no level, no path listed.
default allow := false

allow if {
	count(wanted) > 0
	every needed in wanted {
		rank[level] >= rank[needed]
	}
}

# Of several rows for one path the strictest counts.
wanted contains row.level if {
	some row in data.paths
	http.path_matches(row.path)
}

rank[name] := i if some i, name in data.levels

# The attribute goes first: it says what was proved of this workload, not of its kind.
level := attribute if {
	input.identity.authenticated == true
	attribute := input.identity.attributes.attestation_level
} else := min_by_rank(by_template) if {
	input.identity.authenticated == true
	not has_attribute
	count(by_template) > 0
}

has_attribute if "attestation_level" in object.keys(input.identity.attributes)

by_template contains row.level if {
	some row in data.identities
	spiffe.match(input.identity.spiffe_id, data.trust_domain, row.template)
}

# Of several templates for one ID the weakest level counts.
min_by_rank(names) := data.levels[min({rank[name] | some name in names})]
