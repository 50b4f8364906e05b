# METADATA
# title: Rules for what is in the body
# description: >-
#   A caller may order a transfer (POST /transfers, a JSON object) up to the amount and in the currencies that data.json
#   gives it. The caller is Envoy's word (`source_principal`). Needs Envoy to send bodies
#   (`with_request_body`, `allow_partial_message: false`); a request whose body is missing or cut off is denied.
package envoy.authz

import data.svidgate.decision
import data.svidgate.http

# Deny is the start value.
default allow := {"allowed": false, "http_status": 403}

allow := {"allowed": true} if {
	is_transfer
	every problem in ["body", "currency", "amount", "account"] {
		not problems[problem]
	}
}

allow := decision.deny(422, concat("; ", sort([sentence | some sentence in problems]))) if {
	is_transfer
	count(problems) > 0
}

is_transfer if {
	http.method == "POST"
	http.path_matches("/transfers")
	limits
}

# What data.json gives the caller; undefined for callers that may order nothing.
limits := data.limits[input.source_principal]

# `parsed_body` is null when the content type is not JSON, when there is no body, and when Envoy cut it off.
body := input.parsed_body if {
	is_object(input.parsed_body)
	not input.truncated_body
}

problems["body"] := "the body must be one JSON object" if not body

problems["currency"] := "the currency is not one of yours" if {
	body
	not currency_is_allowed
}

problems["amount"] := "the amount must be above zero and within your limit" if {
	body
	not amount_is_allowed
}

problems["account"] := "the account must be text of digits and letters" if {
	body
	not account_is_allowed
}

currency_is_allowed if body.currency in object.keys(limits)

# A number, not text that looks like one: `"5" > 0` would compare types.
amount_is_allowed if {
	is_number(body.amount)
	body.amount > 0
	body.amount <= limits[body.currency]
}

account_is_allowed if {
	is_string(body.account)
	regex.match(`^[A-Z0-9]{8,34}$`, body.account)
}
