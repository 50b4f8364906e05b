package envoy.authz_test

import data.envoy.authz

verified(id) := {
	"authenticated": true,
	"verified_by": "pdp",
	"spiffe_id": id,
	"trust_domain": parts[0],
	"segments": array.slice(parts, 1, count(parts)),
} if {
	parts := split(trim_prefix(id, "spiffe://"), "/")
}

with_level(id, value, trust) := object.union(verified(id), {"attributes": {"attestation_level": {
	"value": value,
	"source": "data",
	"trust": trust,
}}})

request(identity, path) := {"identity": identity, "parsed_path": path}

web := "spiffe://example.org/ns/shop/sa/web"

legacy := "spiffe://example.org/ns/legacy/sa/batch"

device := "spiffe://example.org/tpm/ek-7f3a"

test_level_is_enough[name] if {
	some name, [id, path] in {
		"the same level": [web, ["orders", "7"]],
		"a higher level": [device, ["orders", "7"]],
		"the lowest level": [legacy, ["catalogue"]],
		"the strictest row of a path": [device, ["orders", "7", "refund"]],
	}
	authz.allow with input as request(verified(id), path)
}

test_level_is_not_enough[name] if {
	some name, [id, path] in {
		"one below": [web, ["orders", "7", "refund"]],
		"the weakest of two templates counts": [legacy, ["orders", "7"]],
		"no template": ["spiffe://example.org/vm/7", ["catalogue"]],
		"another trust domain": ["spiffe://example.com/tpm/ek-7f3a", ["catalogue"]],
		"more segments than the template": ["spiffe://example.org/tpm/ek-7f3a/x", ["catalogue"]],
		"no row for the path": [device, ["admin"]],
		"climbing out": [device, ["catalogue", "..", "orders"]],
	}
	not authz.allow with input as request(verified(id), path)
}

test_attribute_goes_before_the_template if {
	authz.allow with input as request(with_level(web, "hardware", "operator"), ["orders", "7", "refund"])
}

test_attribute_can_be_lower_than_the_template if {
	not authz.allow with input as request(with_level(device, "node", "operator"), ["orders", "7"])
}

test_unknown_attribute_is_no_level[value] if {
	some value in ["", "Hardware", "3", "none"]
	not authz.allow with input as request(with_level(device, value, "operator"), ["catalogue"])
}

test_attribute_of_another_type_is_no_level if {
	every value in [null, 2, ["hardware"], {"hardware": true}, true, false] {
		not authz.allow with input as request(with_level(device, value, "operator"), ["catalogue"])
	}
}

test_others_say_no_level[trust] if {
	some trust in ["issuer", "envoy", "", null]
	not authz.allow with input as request(with_level(device, "hardware", trust), ["catalogue"])
}

test_text_is_no_attribute if {
	bare := object.union(verified(device), {"attributes": {"attestation_level": "hardware"}})
	not authz.allow with input as request(bare, ["catalogue"])
}

test_other_attributes_leave_the_template if {
	authz.allow with input as request(object.union(verified(web), {"attributes": {"team": {"value": "shop", "source": "data", "trust": "operator"}}}), ["orders", "7"])
}

test_nobody_verified[name] if {
	some name, identity in {
		"said to be false": object.union(verified(device), {"authenticated": false}),
		"not said": object.remove(verified(device), ["authenticated"]),
		"Envoy's word": object.union(verified(device), {"verified_by": "envoy"}),
		"said in text": object.union(verified(device), {"authenticated": "true"}),
		"a claim": {"authenticated": false, "unverified": {"principal": device}},
		"an attribute alone": object.union(with_level(device, "hardware", "operator"), {"authenticated": false}),
		"nothing": {},
	}
	not authz.allow with input as request(identity, ["catalogue"])
}

test_envoys_word_is_no_identity if {
	not authz.allow with input as {"source_principal": device, "parsed_path": ["catalogue"]}
}

test_denied_without_input if not authz.allow with input as {}
