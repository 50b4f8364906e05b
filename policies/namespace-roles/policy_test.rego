package envoy.authz_test

import data.envoy.authz

request(caller, method, path) := {
	"source_principal": caller,
	"parsed_path": path,
	"attributes": {"request": {"http": {"method": method}}},
}

web := "spiffe://example.org/ns/shop/sa/web"

invoices := "spiffe://example.org/ns/billing/sa/invoices"

deploy := "spiffe://example.org/ns/operations/sa/deploy"

test_writer_may_post if authz.allow.allowed with input as request(web, "POST", ["orders"])

test_reader_may_get if authz.allow.allowed with input as request(invoices, "GET", ["orders", "7"])

test_admin_may_delete if authz.allow.allowed with input as request(deploy, "DELETE", ["stock", "7"])

test_service_learns_the_role if {
	authz.allow.headers == {"x-caller-role": "writer", "x-caller-namespace": "shop"} with input as request(web, "PUT", ["orders", "7"])
}

test_reader_may_not_post if {
	answer := authz.allow with input as request(invoices, "POST", ["orders"])
	not answer.allowed
	answer.http_status == 403
	json.unmarshal(answer.body).message == "namespace billing may not POST this"
}

test_other_resource_is_denied if not authz.allow.allowed with input as request(invoices, "GET", ["stock"])

test_namespace_without_roles_is_denied if not authz.allow.allowed with input as request("spiffe://example.org/ns/guest/sa/web", "GET", ["orders"])

test_other_trust_domain_is_denied if not authz.allow.allowed with input as request("spiffe://example.org.evil/ns/shop/sa/web", "GET", ["orders"])

test_id_of_another_form_is_denied if {
	some caller in [
		"spiffe://example.org/shop/sa/web",
		"spiffe://example.org/ns/shop/sa/web/x",
		"spiffe://example.org/ns/shop",
		"spiffe://example.org",
		"",
	]
	not authz.allow.allowed with input as request(caller, "GET", ["orders"])
}

test_no_caller_is_denied if not authz.allow.allowed with input as {"parsed_path": ["orders"], "attributes": {"request": {"http": {"method": "GET"}}}}
