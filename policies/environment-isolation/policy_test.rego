package envoy.authz_test

import data.envoy.authz

request(caller, service) := {
	"identity": caller,
	"attributes": {"destination": {"principal": service}},
}

id(environment, namespace, account) := sprintf("spiffe://example.org/env/%s/ns/%s/sa/%s", [environment, namespace, account])

workload(environment, namespace) := {
	"authenticated": true,
	"verified_by": "pdp",
	"trust_domain": "example.org",
	"attributes": {
		"environment": {"value": environment, "source": "template", "trust": "pdp"},
		"namespace": {"value": namespace, "source": "template", "trust": "pdp"},
	},
}

orders := id("prod", "shop", "orders")

cart := workload("prod", "shop")

test_allowed[name] if {
	some name, [caller, service] in {
		"same namespace": [cart, orders],
		"a namespace that is opened": [workload("prod", "web"), orders],
		"opened in every environment": [workload("test", "web"), id("test", "shop", "orders")],
		"the operator's word": [with_attribute(cart, "environment", "prod", "operator"), orders],
	}
	authz.allow with input as request(caller, service)
}

with_attribute(caller, name, value, trust) := object.union(caller, {"attributes": {name: {
	"value": value,
	"source": "data",
	"trust": trust,
}}})

test_denied[name] if {
	some name, [caller, service] in {
		"another environment": [workload("test", "shop"), orders],
		"an opened namespace, another environment": [workload("test", "web"), orders],
		"a namespace that is not opened": [workload("prod", "billing"), orders],
		"the other way around": [cart, id("prod", "web", "front")],
		"another trust domain": [object.union(cart, {"trust_domain": "example.com"}), orders],
		"a trust domain that begins alike": [object.union(cart, {"trust_domain": "example.org.evil"}), orders],
		"a service of another trust domain": [cart, "spiffe://example.com/env/prod/ns/shop/sa/orders"],
		"a service of another form": [cart, "spiffe://example.org/ns/shop/sa/orders"],
		"a service with more behind it": [cart, concat("", [orders, "/x"])],
		"no SPIFFE ID": [cart, "CN=orders,OU=prod"],
		"no service": [cart, ""],
	}
	not authz.allow with input as request(caller, service)
}

test_other_words_do_not_count[trust] if {
	some trust in ["issuer", "envoy", "me", "", null]
	not authz.allow with input as request(with_attribute(cart, "environment", "prod", trust), orders)
	not authz.allow with input as request(with_attribute(cart, "namespace", "shop", trust), orders)
}

test_both_attributes_are_needed[name] if {
	some name in ["environment", "namespace"]
	left := object.union(object.remove(cart, ["attributes"]), {"attributes": object.remove(cart.attributes, [name])})
	not authz.allow with input as request(left, orders)
}

test_values_of_other_types_are_no_environment if {
	every value in [null, 1, true, [], ["prod"], {"prod": true}] {
		not authz.allow with input as request(with_attribute(cart, "environment", value, "operator"), orders)
		not authz.allow with input as request(with_attribute(cart, "namespace", value, "operator"), orders)
	}
}

test_who_is_not_verified_has_no_environment[name] if {
	some name, caller in {
		"Envoy's word": object.union(cart, {"verified_by": "envoy"}),
		"not authenticated": object.union(cart, {"authenticated": false}),
		"attributes alone": {"attributes": cart.attributes},
		"a claim": {"authenticated": false, "verified_by": "none", "unverified": {"principal": id("prod", "shop", "cart")}},
		"nobody": {},
	}
	not authz.allow with input as request(caller, orders)
}

test_denied_without_ids if {
	not authz.allow with input as {}
	not authz.allow with input as {"source_principal": id("prod", "shop", "cart")}
	not authz.allow with input as {"identity": cart}
	not authz.allow with input as {
		"source_principal": id("prod", "shop", "cart"),
		"attributes": {"destination": {"principal": orders}},
	}
}
