package envoy.authz_test

import data.envoy.authz

orders := "spiffe://example.org/ns/shop/sa/orders"

web := "spiffe://example.org/ns/shop/sa/web"

invoices := "spiffe://example.org/ns/billing/sa/invoices"

# What Envoy asks when `caller` sends this request to the order service.
request(caller, method, path) := {
	"source_principal": caller,
	"parsed_path": path,
	"attributes": {
		"destination": {"principal": orders},
		"request": {"http": {"method": method}},
	},
}

test_listed_caller_is_allowed if authz.allow with input as request(web, "GET", ["orders", "7"])

test_prefix_itself_is_allowed if authz.allow with input as request(web, "POST", ["orders"])

test_second_rule_is_read if authz.allow with input as request(invoices, "GET", ["orders", "export", "2026"])

test_unlisted_method_is_denied if not authz.allow with input as request(web, "DELETE", ["orders", "7"])

test_unlisted_caller_is_denied if not authz.allow with input as request("spiffe://example.org/ns/shop/sa/cart", "GET", ["orders"])

test_caller_of_one_path_is_denied_on_others if not authz.allow with input as request(invoices, "GET", ["orders", "7"])

test_same_name_in_another_trust_domain_is_denied if not authz.allow with input as request("spiffe://example.com/ns/shop/sa/web", "GET", ["orders"])

test_prefix_ends_at_a_segment if not authz.allow with input as request(web, "GET", ["orders-archive"])

test_shorter_path_is_denied if not authz.allow with input as request(invoices, "GET", ["orders"])

test_climbing_out_is_denied if not authz.allow with input as request(web, "GET", ["orders", "..", "admin"])

test_no_caller_is_denied if not authz.allow with input as object.remove(request(web, "GET", ["orders"]), ["source_principal"])

test_other_service_is_denied if {
	asked := object.union(request(web, "GET", ["orders"]), {"attributes": {"destination": {"principal": "spiffe://example.org/ns/shop/sa/stock"}}})
	not authz.allow with input as asked
}

test_empty_input_is_denied if not authz.allow with input as {}
