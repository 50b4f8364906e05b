package envoy.authz_test

import data.envoy.authz

# The key of the tokens below, whose private half is gone. It is no key of data.json, so no token here opens anything.
issuer := {
	"iss": "https://login.example.org",
	"aud": "orders",
	"algorithm": "ES256",
	"jwks": {"keys": [{"kty": "EC", "x": "CFZHgrwStBz5oIobrPZhUWMF9P2Osz4f62aDWwbsDDM", "y": "845TAB3DtzWsobvK7HKu6dryhO9Moy3vobTr8_bf-Ik", "crv": "P-256", "kid": "test-1", "alg": "ES256", "use": "sig"}]},
}

# Valid until 2100 unless their name says otherwise.
tokens := {
	"reader": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QtMSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3JkZXJzLnJlYWQifQ.Mycy4_NBuN-3aISsungmVYN-F2OLNavSkXnki9QHmib7cdQ5IeWle40CYLiGZihcCpwB5pgmSPWB3ylMOalFTA",
	"writer": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QtMSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3JkZXJzLnJlYWQgb3JkZXJzLndyaXRlIn0.eFCnQHnc-y4LPfstAKLyazN-Rhu1ZspBP-LEs0hT0VphAApNavQnJC-SeOvdXdJLodCy55xBNMyMbiAw7MPNQw",
	"list": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QtMSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDAsInNjcCI6WyJvcmRlcnMucmVhZCJdfQ.kICehK6He4OfBJoihHOAVbpLnV2-lLEHy4vsWQ4YSEVj1dwRAofJR7tlvhTzJgutOWigYgu04a0CiZlzUpQGzA",
	"expired": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QtMSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWxpY2UiLCJleHAiOjE3MDAwMDAwMDAsInNjb3BlIjoib3JkZXJzLnJlYWQifQ.hwPenaOjIYmU8KJiKkvYm1NFPsx0saqdCagjowQSRa1veuEpd8YOph8cORhqtl-q8MnndCUqnJMZuS6gbx2B-A",
	"endless": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QtMSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWxpY2UiLCJzY29wZSI6Im9yZGVycy5yZWFkIn0.Cgl1QdrrkgEsbrGo1tevLHjMrwr1DyLwYx5Kyb_4ecvth60TX8HaMt4U3OHiid8fhWIWWMbJvyLgabevp5tVmQ",
	"notyet": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QtMSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3JkZXJzLnJlYWQiLCJuYmYiOjQxMDI0NDQwMDB9.3dcF0Bop6-0WJoF3b1z0wxZiHuwj6u4zkykDhynawWncrFdQqH6voOOURjyHDRggdrVNl-hqTNA5_OuTCZ7C1w",
	"audience": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QtMSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkIjoiYmlsbGluZyIsInN1YiI6ImFsaWNlIiwiZXhwIjo0MTAyNDQ0ODAwLCJzY29wZSI6Im9yZGVycy5yZWFkIn0.pn7EGjbTbz8JoZ6sMqxPQijz5lP6dklIoltoIcVZGeoXqJJfWbQOVJ7PEiZxIHxY7UbeufI3KHSg2eeVWK_KrQ",
	"issuer": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QtMSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3JkZXJzLnJlYWQifQ.Ay56l0g8LTF1WqVLLFqgl2G9ELGV9RHTI48D9m0-qNhoXP7TSh8A3dTpzXi_q2nj-Sqgzx3XA5yCBV4Nq4IhPg",
	"forged": "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3QtMSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3JkZXJzLnJlYWQifQ.jLE5OzNvEc-sCrYlw3VlHJLYmRHv6k_-UZ-G-r3RYUl0ohFO1mrli7i-EVIslSSk_15J9KOPXpQvYVjbddOUgA",
	"none": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUub3JnIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWxpY2UiLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3JkZXJzLnJlYWQifQ.",
}

request(method, path, authorization) := {
	"parsed_path": path,
	"attributes": {"request": {"http": {"method": method, "headers": {"authorization": authorization}}}},
}

bearer(name) := concat(" ", ["Bearer", tokens[name]])

answer(method, path, authorization) := found if {
	found := authz.allow with input as request(method, path, authorization) with data.issuer as issuer
}

test_scope_of_the_method_is_enough[name] if {
	some name, [method, path, token] in {
		"read": ["GET", ["orders"], "reader"],
		"read below": ["GET", ["orders", "7", "items"], "reader"],
		"read with scp": ["GET", ["orders"], "list"],
		"write": ["POST", ["orders"], "writer"],
		"write one": ["DELETE", ["orders", "7"], "writer"],
	}
	answer(method, path, bearer(token)).allowed
}

test_service_learns_user_and_scopes if {
	answer("GET", ["orders"], bearer("writer")).headers == {"x-user": "alice", "x-scopes": "orders.read orders.write"}
}

test_scheme_is_read_in_any_case if answer("GET", ["orders"], concat(" ", ["bearer", tokens.reader])).allowed

test_public_path_needs_no_token if {
	authz.allow.allowed with input as {"parsed_path": ["health"], "attributes": {"request": {"http": {"method": "GET"}}}}
}

test_public_path_with_a_bad_token_is_public if answer("GET", ["health"], bearer("forged")).allowed

test_403[name] if {
	some name, [method, path, token] in {
		"scope is missing": ["POST", ["orders"], "reader"],
		"method is not listed": ["PATCH", ["orders", "7"], "writer"],
		"path is not listed": ["GET", ["admin"], "writer"],
		"path begins alike": ["GET", ["orders-archive"], "writer"],
		"climbing out": ["GET", ["orders", "..", "admin"], "writer"],
		"more segments than the rule": ["DELETE", ["orders", "7", "items"], "writer"],
	}
	found := answer(method, path, bearer(token))
	not found.allowed
	found.http_status in {401, 403}
	not found.headers["x-user"]
}

test_401[name] if {
	some name in ["expired", "endless", "notyet", "audience", "issuer", "forged", "none"]
	found := answer("GET", ["orders"], bearer(name))
	not found.allowed
	found.http_status == 401
}

test_401_for_what_is_no_bearer_token[authorization] if {
	some authorization in ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b", "Bearer a.b.c", "Bearer a b c"]
	found := answer("GET", ["orders"], authorization)
	not found.allowed
	found.http_status == 401
}

test_401_for_two_tokens if {
	both := concat(",", [bearer("reader"), bearer("writer")])
	not answer("GET", ["orders"], both).allowed
}

test_401_for_a_key_that_is_not_the_issuers if {
	not authz.allow.allowed with input as request("GET", ["orders"], bearer("reader"))
}

test_401_without_headers if {
	found := authz.allow with input as {"parsed_path": ["orders"], "attributes": {"request": {"http": {"method": "GET"}}}}
	found.http_status == 401
}

test_denied_without_input if not authz.allow.allowed with input as {}
