# METADATA
# title: Answers
# description: >-
#   Objects that a policy may answer with. A denial tells the caller as little as its author writes, and never the rule.
package svidgate.decision

# METADATA
# description: Lets the request through, with headers for the service; what the caller sent under these names is overwritten.
allow(headers) := {"allowed": true, "headers": headers}

# METADATA
# description: Refuses with a status and a JSON body that holds one sentence.
deny(status, message) := {
	"allowed": false,
	"http_status": status,
	"headers": {"content-type": "application/json"},
	"body": json.marshal({"error": message}),
}

# METADATA
# description: Refuses for want of credentials (401), as RFC 6750 §3 has it.
unauthenticated := {
	"allowed": false,
	"http_status": 401,
	"headers": {"www-authenticate": "Bearer", "content-type": "application/json"},
	"body": json.marshal({"error": "unauthenticated"}),
}
