# METADATA
# title: Denial by attestation level
# description: >-
#   A path needs a level of attestation: how well it was proved that the caller is the workload it says. The level comes
#   from the attribute `attestation_level` of the verified identity, or from data.json by the form of the SPIFFE ID. Only a
#   caller that svidgate verified has a level: what nobody verified reaches nothing.
package envoy.authz

import data.svidgate.http
import data.svidgate.spiffe.identity

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

# The attribute goes first: it says what was proved of this workload, not of its kind. One that somebody else says, such as a
# token, is no level, and hides the form of the ID all the same.
level := identity.attribute("attestation_level", {"pdp", "operator"}) if {
	has_attribute
} else := min_by_rank(by_template) if {
	not has_attribute
	count(by_template) > 0
}

has_attribute if "attestation_level" in object.keys(input.identity.attributes)

by_template contains row.level if {
	some row in data.identities
	identity.match(data.trust_domain, row.template)
}

# Of several templates for one ID the weakest level counts.
min_by_rank(names) := data.levels[min({rank[name] | some name in names})]
