package svidgate.spiffe_test

import data.svidgate.spiffe

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
