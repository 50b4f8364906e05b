package envoy.authz_test

import data.envoy.authz

request(caller, service) := {
	"source_principal": caller,
	"attributes": {"destination": {"principal": service}},
}

id(environment, namespace, account) := sprintf("spiffe://example.org/env/%s/ns/%s/sa/%s", [environment, namespace, account])

test_allowed[name] if {
	some name, [caller, service] in {
		"same namespace": [id("prod", "shop", "cart"), id("prod", "shop", "orders")],
		"a namespace that is opened": [id("prod", "web", "front"), id("prod", "shop", "orders")],
		"opened in every environment": [id("test", "web", "front"), id("test", "shop", "orders")],
	}
	authz.allow with input as request(caller, service)
}

test_denied[name] if {
	some name, [caller, service] in {
		"another environment": [id("test", "shop", "cart"), id("prod", "shop", "orders")],
		"an opened namespace, another environment": [id("test", "web", "front"), id("prod", "shop", "orders")],
		"a namespace that is not opened": [id("prod", "billing", "invoices"), id("prod", "shop", "orders")],
		"the other way around": [id("prod", "shop", "orders"), id("prod", "web", "front")],
		"another trust domain": ["spiffe://example.com/env/prod/ns/shop/sa/cart", id("prod", "shop", "orders")],
		"a trust domain that begins alike": ["spiffe://example.org.evil/env/prod/ns/shop/sa/cart", id("prod", "shop", "orders")],
		"a service of another trust domain": [id("prod", "shop", "cart"), "spiffe://example.com/env/prod/ns/shop/sa/orders"],
		"an ID of another form": ["spiffe://example.org/ns/shop/sa/cart", id("prod", "shop", "orders")],
		"an ID with more behind it": [concat("", [id("prod", "shop", "cart"), "/x"]), id("prod", "shop", "orders")],
		"no SPIFFE ID": ["CN=cart,OU=prod", id("prod", "shop", "orders")],
		"nobody": ["", id("prod", "shop", "orders")],
		"two of unknown form": ["cart", "orders"],
	}
	not authz.allow with input as request(caller, service)
}

test_denied_without_ids if {
	not authz.allow with input as {}
	not authz.allow with input as {"source_principal": id("prod", "shop", "cart")}
	not authz.allow with input as {"attributes": {"destination": {"principal": id("prod", "shop", "cart")}}}
}
