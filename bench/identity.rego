# The policy of bench/identity.ts: anybody may read people, whom it knows or not, so that the same answer comes with identity and
# without; it reads who calls all the same.
package envoy.authz

default allow := false

caller := input.identity.segments[1] if input.identity.authenticated

caller := "shop" if not input.identity.authenticated

allow if {
	caller == "shop"
	input.attributes.request.http.method == "GET"
	input.parsed_path[0] == "people"
}
