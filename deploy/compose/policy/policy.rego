# The policy of docker-compose.yml: something to try and to change.
package envoy.authz

default allow := {
	"allowed": false,
	"body": "only GET /public/… is open to everyone; /orders wants `x-team: shop`\n",
}

allow if {
	input.attributes.request.http.method == "GET"
	input.parsed_path[0] == "public"
}

# A header proves nothing: this shows how rules look, not how callers are told apart. See policies/.
allow if {
	input.parsed_path[0] == "orders"
	input.attributes.request.http.headers["x-team"] == "shop"
}
