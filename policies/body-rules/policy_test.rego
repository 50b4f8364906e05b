package envoy.authz_test

import data.envoy.authz

refunds := "spiffe://example.org/ns/shop/sa/refunds"

good := {"amount": 20.5, "currency": "EUR", "account": "DE0012345678"}

request(caller, body) := {
	"source_principal": caller,
	"parsed_path": ["transfers"],
	"parsed_body": body,
	"truncated_body": false,
	"attributes": {"request": {"http": {"method": "POST"}}},
}

test_within_the_limit[name] if {
	some name, change in {
		"less": {},
		"the limit itself": {"amount": 500},
		"the other currency": {"currency": "USD"},
		"further members": {"note": "thanks"},
	}
	authz.allow.allowed with input as request(refunds, object.union(good, change))
}

test_422[name] if {
	some name, change in {
		"above the limit": {"amount": 500.01},
		"nothing": {"amount": 0},
		"less than nothing": {"amount": -1},
		"text for a number": {"amount": "20"},
		"a list for a number": {"amount": [20]},
		"no amount": {"amount": null},
		"another currency": {"currency": "GBP"},
		"a currency in lower case": {"currency": "eur"},
		"an account with a path": {"account": "../DE001234"},
		"a number for an account": {"account": 12345678},
	}
	answer := authz.allow with input as request(refunds, object.union(good, change))
	not answer.allowed
	answer.http_status == 422
}

test_422_says_everything_that_is_wrong if {
	answer := authz.allow with input as request(refunds, {"amount": 501, "currency": "EUR", "account": ""})
	json.unmarshal(answer.body).error == concat("; ", [
		"the account must be text of digits and letters",
		"the amount must be above zero and within your limit",
	])
}

test_body_that_is_no_object_is_refused[name] if {
	some name, body in {"none": null, "a list": [good], "text": "amount=1", "a form": {"amount": ["20"]}}
	answer := authz.allow with input as request(refunds, body)
	not answer.allowed
	answer.http_status == 422
}

test_body_that_was_cut_off_is_refused if {
	answer := authz.allow with input as object.union(request(refunds, good), {"truncated_body": true})
	answer.http_status == 422
}

test_limits_are_the_callers if {
	payouts := "spiffe://example.org/ns/treasury/sa/payouts"
	authz.allow.allowed with input as request(payouts, object.union(good, {"amount": 100000}))
	not authz.allow.allowed with input as request(payouts, object.union(good, {"currency": "USD"}))
}

test_403[name] if {
	some name, asked in {
		"another caller": request("spiffe://example.org/ns/shop/sa/web", good),
		"nobody": object.remove(request(refunds, good), ["source_principal"]),
		"another path": object.union(request(refunds, good), {"parsed_path": ["transfers", "7"]}),
		"another method": object.union(request(refunds, good), {"attributes": {"request": {"http": {"method": "PUT"}}}}),
		"nothing at all": {},
	}
	answer := authz.allow with input as asked
	answer == {"allowed": false, "http_status": 403}
}
