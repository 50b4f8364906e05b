package svidgate.http_test

import data.svidgate.http

test_path_matches[name] if {
	some name, [pattern, path] in {
		"whole": ["/orders", ["orders"]],
		"a name": ["/orders/{id}", ["orders", "7"]],
		"a name in between": ["/orders/{id}/items", ["orders", "7", "items"]],
		"the root": ["/", [""]],
		"everything": ["/**", ["orders", "7"]],
		"everything, at the root": ["/**", [""]],
		"at": ["/orders/**", ["orders"]],
		"below": ["/orders/**", ["orders", "7", "items"]],
		"a slash at the end": ["/orders/", ["orders", ""]],
		"dots in a name": ["/files/{name}", ["files", "..."]],
	}
	http.path_matches(pattern) with input.parsed_path as path
}

test_path_does_not_match[name] if {
	some name, [pattern, path] in {
		"longer": ["/orders", ["orders", "7"]],
		"shorter": ["/orders/{id}", ["orders"]],
		"an empty name": ["/orders/{id}", ["orders", ""]],
		"the beginning of a segment": ["/orders/**", ["orders-archive"]],
		"another case": ["/orders", ["Orders"]],
		"climbing": ["/orders/**", ["orders", "..", "admin"]],
		"climbing by name": ["/orders/{id}", ["orders", ".."]],
		"standing still": ["/orders/{id}", ["orders", "."]],
		"a slash at the end": ["/orders", ["orders", ""]],
		"no path": ["/", []],
	}
	not http.path_matches(pattern) with input.parsed_path as path
}

test_path_below if {
	http.path_below("/orders") with input.parsed_path as ["orders", "7"]
	http.path_below("/orders/") with input.parsed_path as ["orders"]
	http.path_below("/") with input.parsed_path as ["orders"]
	not http.path_below("/orders") with input.parsed_path as ["orders-archive"]
	not http.path_below("/orders") with input.parsed_path as ["orders", "..", "admin"]
}

test_nothing_matches_without_input if {
	not http.path_matches("/**") with input as {}
	not http.path_below("/") with input as {}
	not http.method with input as {}
	not http.header("authorization") with input as {}
}

test_header if {
	http.header("x-a") == "1" with input.attributes.request.http.headers as {"x-a": "1"}
	not http.header("x-b") with input.attributes.request.http.headers as {"x-a": "1"}
}
