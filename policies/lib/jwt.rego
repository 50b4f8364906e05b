# METADATA
# title: Bearer tokens
# description: >-
#   The claims of a verified token. Nothing here gives out a claim whose signature, times, issuer and audience were not
#   checked: io.jwt.decode alone checks none of them.
package svidgate.jwt

import data.svidgate.http

# METADATA
# description: The token of the request; undefined unless `authorization` is one Bearer token.
bearer := token if {
	value := http.header("authorization")
	lower(substring(value, 0, 7)) == "bearer "
	token := substring(value, 7, -1)
	regex.match(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`, token)
	can_be_decoded(token)
}

# io.jwt.decode_verify fails on any other text, and a builtin that fails ends the decision under strict errors.
can_be_decoded(token) if {
	parts := split(token, ".")
	every part in parts {
		count(part) % 4 != 1
	}
	every part in array.slice(parts, 0, 2) {
		text := base64url.decode(part)
		json.is_valid(text)
		is_object(json.unmarshal(text))
	}
}

# METADATA
# description: |
#   The claims, when every constraint holds. `issuer` is an object: `iss`, `aud`, `algorithm` (one, so that the token
#   cannot choose: a public key must never be tried as an HMAC secret) and `jwks` (a JWKS as an object).
#   A token without `exp` is refused; io.jwt.decode_verify would take it for one that never ends.
claims(token, issuer) := verified if {
	[valid, _, verified] := io.jwt.decode_verify(token, {
		"cert": json.marshal(issuer.jwks),
		"alg": issuer.algorithm,
		"iss": issuer.iss,
		"aud": issuer.aud,
	})
	valid
	is_number(verified.exp)
}

# METADATA
# description: The scopes of a claims object, whichever of the two usual forms it has.
scopes(verified) := {scope | some scope in split(verified.scope, " "); scope != ""} if is_string(verified.scope)

scopes(verified) := {scope | some scope in verified.scp} if {
	is_array(verified.scp)
	not verified.scope
}
