package svidgate.spiffe_test

import data.svidgate.spiffe
import data.svidgate.spiffe.identity
import data.svidgate.spiffe.identity_or_envoy

test_parse[id] if {
	some id, parsed in {
		"spiffe://example.org/ns/shop/sa/web": {"trust_domain": "example.org", "segments": ["ns", "shop", "sa", "web"]},
		"spiffe://example.org": {"trust_domain": "example.org", "segments": []},
		"spiffe://a_b-c.1/A.b-c_1": {"trust_domain": "a_b-c.1", "segments": ["A.b-c_1"]},
		"spiffe://example.org/...": {"trust_domain": "example.org", "segments": ["..."]},
	}
	spiffe.parse(id) == parsed
}

test_parse_refuses[id] if {
	some id in [
		"",
		"spiffe://",
		"spiffe:///ns/shop",
		"https://example.org/ns/shop",
		"SPIFFE://example.org/ns/shop",
		" spiffe://example.org/ns/shop",
		"spiffe://Example.org/ns/shop",
		"spiffe://example.org:8080/ns/shop",
		"spiffe://user@example.org/ns/shop",
		"spiffe://example.org/",
		"spiffe://example.org/ns/",
		"spiffe://example.org//ns",
		"spiffe://example.org/ns/./shop",
		"spiffe://example.org/ns/../shop",
		"spiffe://example.org/ns/%73hop",
		"spiffe://example.org/ns/shop?x=1",
		"spiffe://example.org/ns/shop#x",
		"spiffe://example.org/ns/sh\nop",
		"spiffe://example.org/ns/shöp",
		"By=spiffe://example.org/ns/shop",
	]
	not spiffe.parse(id)
}

test_parse_refuses_long_ids if {
	not spiffe.parse(sprintf("spiffe://example.org/%s", [concat("", [x | some _ in numbers.range(1, 2048); x := "a"])]))
	not spiffe.parse(concat("", ["spiffe://", concat("", [x | some _ in numbers.range(1, 256); x := "a"]), "/ns"]))
}

test_what_is_no_text_is_no_id if {
	every value in [null, 7, true, [], {}] {
		not spiffe.parse(value)
	}
}

test_in_trust_domain if spiffe.in_trust_domain("spiffe://example.org/ns/shop", "example.org")

test_trust_domains_are_compared_whole[id] if {
	some id in ["spiffe://example.org.evil/ns/shop", "spiffe://evil.example.org/ns/shop", "spiffe://example.or/ns/shop"]
	not spiffe.in_trust_domain(id, "example.org")
}

test_match_gives_names if {
	names := spiffe.match("spiffe://example.org/ns/shop/sa/web", "example.org", "/ns/{namespace}/sa/{account}")
	names == {"namespace": "shop", "account": "web"}
}

test_match_without_names if spiffe.match("spiffe://example.org/ns/shop", "example.org", "/ns/shop") == {}

test_match_refuses[id] if {
	some id in [
		"spiffe://example.com/ns/shop/sa/web",
		"spiffe://example.org/ns/shop/sa",
		"spiffe://example.org/ns/shop/sa/web/x",
		"spiffe://example.org/env/shop/sa/web",
		"spiffe://example.org/ns/shop/sa/",
		"spiffe://example.org",
	]
	not spiffe.match(id, "example.org", "/ns/{namespace}/sa/{account}")
}

web := verified_as("pdp", "example.org", ["ns", "shop", "sa", "web"])

verified_as(by, trust_domain, segments) := {
	"authenticated": true,
	"verified_by": by,
	"spiffe_id": concat("/", array.concat([concat("", ["spiffe://", trust_domain])], segments)),
	"trust_domain": trust_domain,
	"segments": segments,
	"attributes": {
		"environment": {"value": "prod", "source": "data", "trust": "operator"},
		"tier": {"value": 1, "source": "claim", "trust": "issuer"},
		"suspended": {"value": false, "source": "data", "trust": "operator"},
		"cluster": {"value": "c1", "source": "envoy", "trust": "envoy"},
	},
}

test_identity_is_the_caller if {
	identity.authenticated with input.identity as web
	identity.id == "spiffe://example.org/ns/shop/sa/web" with input.identity as web
	identity.is("spiffe://example.org/ns/shop/sa/web") with input.identity as web
	identity.in_trust_domain("example.org") with input.identity as web
	identity.namespace("example.org") == "shop" with input.identity as web
	identity.service_account("example.org") == "web" with input.identity as web
	identity.match("example.org", "/ns/{a}/sa/web") == {"a": "shop"} with input.identity as web
}

test_identity_is_nobody_else[id] if {
	some id in [
		"spiffe://example.org/ns/shop/sa/web/x",
		"spiffe://example.org/ns/shop/sa/we",
		"spiffe://example.org/ns/shop/sa/Web",
		"",
		null,
		["spiffe://example.org/ns/shop/sa/web"],
	]
	not identity.is(id) with input.identity as web
}

test_identity_in[name] if {
	some name, pattern in {
		"every segment": ["ns", "shop", "sa", "web"],
		"a star": ["ns", "shop", "sa", "*"],
		"stars": ["*", "*", "*", "*"],
	}
	identity.in("example.org", pattern) with input.identity as web
	identity.below("example.org", pattern) with input.identity as web
}

test_identity_not_in[name] if {
	some name, pattern in {
		"shorter": ["ns", "shop"],
		"shorter, with a star": ["ns", "*"],
		"longer": ["ns", "shop", "sa", "web", "*"],
		"another segment": ["ns", "shop", "sa", "api"],
		"the beginning of a segment": ["ns", "sho", "sa", "web"],
		"a star within a segment": ["ns", "sho*", "sa", "web"],
		"two stars": ["ns", "**"],
		"a name": ["ns", "{namespace}", "sa", "web"],
		"nothing": [],
		"text": "ns/shop/sa/web",
		"four characters": "****",
		"a set": {"ns", "shop", "sa", "web"},
		"an object": {"0": "ns", "1": "shop", "2": "sa", "3": "web"},
		"null": null,
	}
	not identity.in("example.org", pattern) with input.identity as web
}

test_identity_in_no_other_trust_domain[trust_domain] if {
	some trust_domain in ["evilexample.org", "example.or", "example.org.evil", "Example.org", "*", "", null]
	not identity.in(trust_domain, ["ns", "shop", "sa", "web"]) with input.identity as web
	not identity.below(trust_domain, ["ns"]) with input.identity as web
	not identity.in_trust_domain(trust_domain) with input.identity as web
	not identity.namespace(trust_domain) with input.identity as web
	not identity.match(trust_domain, "/ns/{a}/sa/web") with input.identity as web
}

test_identity_below[name] if {
	some name, prefix in {
		"the trust domain": [],
		"a prefix": ["ns", "shop"],
		"a star": ["ns", "*"],
		"the caller itself": ["ns", "shop", "sa", "web"],
	}
	identity.below("example.org", prefix) with input.identity as web
}

test_identity_not_below[name] if {
	some name, prefix in {
		"the beginning of a segment": ["ns", "sho"],
		"longer": ["ns", "shop", "sa", "web", "*"],
		"another namespace": ["ns", "billing"],
		"text": "ns",
		"null": null,
	}
	not identity.below("example.org", prefix) with input.identity as web
}

test_the_id_of_a_trust_domain if {
	root := verified_as("pdp", "example.org", [])
	identity.in("example.org", []) with input.identity as root
	not identity.in("example.org", ["*"]) with input.identity as root
	not identity.namespace("example.org") with input.identity as root
}

test_namespace_needs_the_whole_form[path] if {
	some path in ["/ns/shop", "/ns/shop/sa/web/x", "/ns/shop/serviceaccount/web", "/env/shop/sa/web"]
	other := verified_as("pdp", "example.org", split(trim_prefix(path, "/"), "/"))
	not identity.namespace("example.org") with input.identity as other
	not identity.service_account("example.org") with input.identity as other
}

test_attribute if {
	identity.attribute("environment", {"operator"}) == "prod" with input.identity as web
	identity.attribute("environment", ["pdp", "operator"]) == "prod" with input.identity as web
	identity.attribute("tier", {"issuer"}) == 1 with input.identity as web
	identity.attribute("suspended", {"operator"}) == false with input.identity as web
}

test_attribute_of_too_little_trust[name] if {
	some name, trusts in {
		"environment": {"pdp"},
		"tier": {"operator", "pdp"},
		"cluster": {"operator", "pdp", "issuer"},
		"suspended": set(),
		"missing": {"pdp", "operator", "issuer", "envoy"},
	}
	not identity.attribute(name, trusts) with input.identity as web
}

test_attribute_of_another_shape[name] if {
	some name, attribute in {"text": "prod", "null": null, "no trust": {"value": "prod"}, "no value": {"trust": "operator"}}
	odd := object.union(web, {"attributes": {"odd": attribute}})
	not identity.attribute("odd", {"operator"}) with input.identity as odd
}

# Who is not proved by svidgate is nobody, whatever else the identity says.
test_nobody[name] if {
	some name, caller in {
		"Envoy's word": object.union(web, {"verified_by": "envoy"}),
		"nobody's word": object.union(web, {"verified_by": "none"}),
		"not authenticated": object.union(web, {"authenticated": false}),
		"text for true": object.union(web, {"authenticated": "true"}),
		"nothing about who verified": object.remove(web, ["verified_by"]),
		"nothing about being authenticated": object.remove(web, ["authenticated"]),
		"nothing": {},
		"null": null,
	}
	not identity.authenticated with input.identity as caller
	not identity.id with input.identity as caller
	not identity.is("spiffe://example.org/ns/shop/sa/web") with input.identity as caller
	not identity.in_trust_domain("example.org") with input.identity as caller
	not identity.in("example.org", ["ns", "shop", "sa", "web"]) with input.identity as caller
	not identity.below("example.org", []) with input.identity as caller
	not identity.match("example.org", "/ns/{a}/sa/web") with input.identity as caller
	not identity.namespace("example.org") with input.identity as caller
	not identity.service_account("example.org") with input.identity as caller
	not identity.attribute("environment", {"operator"}) with input.identity as caller
}

test_nobody_without_input if {
	not identity.authenticated with input as {}
	not identity_or_envoy.authenticated with input as {}
	not identity_or_envoy.below("example.org", []) with input as {"source_principal": "spiffe://example.org/ns/shop"}
}

test_envoys_word_where_it_is_asked_for[by] if {
	some by in ["pdp", "envoy"]
	caller := object.union(web, {"verified_by": by})
	identity_or_envoy.authenticated with input.identity as caller
	identity_or_envoy.id == "spiffe://example.org/ns/shop/sa/web" with input.identity as caller
	identity_or_envoy.is("spiffe://example.org/ns/shop/sa/web") with input.identity as caller
	identity_or_envoy.in_trust_domain("example.org") with input.identity as caller
	identity_or_envoy.in("example.org", ["ns", "shop", "sa", "*"]) with input.identity as caller
	identity_or_envoy.below("example.org", ["ns"]) with input.identity as caller
	identity_or_envoy.match("example.org", "/ns/{a}/sa/web") == {"a": "shop"} with input.identity as caller
	identity_or_envoy.namespace("example.org") == "shop" with input.identity as caller
	identity_or_envoy.service_account("example.org") == "web" with input.identity as caller
	identity_or_envoy.attribute("cluster", {"envoy"}) == "c1" with input.identity as caller
}

test_nobodys_word_is_not_enough[name] if {
	some name, caller in {
		"nobody": object.union(web, {"verified_by": "none"}),
		"another": object.union(web, {"verified_by": "me"}),
		"not authenticated": object.union(web, {"verified_by": "envoy", "authenticated": false}),
	}
	not identity_or_envoy.authenticated with input.identity as caller
	not identity_or_envoy.id with input.identity as caller
	not identity_or_envoy.is("spiffe://example.org/ns/shop/sa/web") with input.identity as caller
	not identity_or_envoy.in_trust_domain("example.org") with input.identity as caller
	not identity_or_envoy.in("example.org", ["ns", "shop", "sa", "*"]) with input.identity as caller
	not identity_or_envoy.below("example.org", []) with input.identity as caller
	not identity_or_envoy.match("example.org", "/ns/{a}/sa/web") with input.identity as caller
	not identity_or_envoy.namespace("example.org") with input.identity as caller
	not identity_or_envoy.service_account("example.org") with input.identity as caller
	not identity_or_envoy.attribute("environment", {"operator"}) with input.identity as caller
}
