# The policy of the benchmark: the roles of the caller, from a Basic header, as in OPA's own Envoy tutorial.
package envoy.authz

default allow := false

roles := {
	"guest": {"roles": ["reader"]},
	"admin": {"roles": ["reader", "writer"]},
}

permissions := {
	"reader": [{"method": "GET", "path": "people"}],
	"writer": [{"method": "POST", "path": "people"}],
}

user := name if {
	[scheme, encoded] := split(input.attributes.request.http.headers.authorization, " ")
	scheme == "Basic"
	[name, _] := split(base64.decode(encoded), ":")
}

allow if {
	some role in roles[user].roles
	some permission in permissions[role]
	permission.method == input.attributes.request.http.method
	permission.path == input.parsed_path[0]
}
