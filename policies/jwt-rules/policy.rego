# METADATA
# title: Rules for methods and paths with the claims of a token
# description: >-
#   data.json lists which scope a method on a path needs. The token's signature, times, issuer and audience are checked
#   here, against the keys in data.json: this is the user who asks, and the workload that sends it is not looked at.
package envoy.authz

import data.svidgate.decision
import data.svidgate.http
import data.svidgate.jwt

# Deny is the start value.
default allow := {"allowed": false, "http_status": 403}

# A path that needs no token is listed with the scope `public`, so that the list is the whole truth.
allow := {"allowed": true} if {
	"public" in wanted
}

allow := decision.allow({"x-user": claims.sub, "x-scopes": concat(" ", sort(granted))}) if {
	not "public" in wanted
	some scope in wanted
	scope in granted
	is_string(claims.sub)
}

allow := decision.unauthenticated if {
	not "public" in wanted
	not claims
}

# The scopes of which this request needs one; empty when no rule is for it.
wanted contains rule.scope if {
	some rule in data.rules
	http.method in rule.methods
	http.path_matches(rule.path)
}

claims := jwt.claims(jwt.bearer, data.issuer)

granted := jwt.scopes(claims)
