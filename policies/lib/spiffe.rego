# METADATA
# title: SPIFFE IDs by their parts
# description: >-
#   IDs are taken apart and compared segment by segment, never by the beginning of their text:
#   `spiffe://example.org.evil/…` begins with `spiffe://example.org`, and `/ns/shop-test` with `/ns/shop`.
#   The functions that take an ID name nobody: whether it is verified is said by where it was taken from. Those below
#   `identity` speak of the caller that svidgate itself verified, and are undefined for any other; those below
#   `identity_or_envoy` are the same and take Envoy's word too, where svidgate is configured to.
package svidgate.spiffe

# METADATA
# description: |
#   `{"trust_domain": …, "segments": […]}` of a SPIFFE ID; undefined for anything else.
#   SPEC: SPIFFE-ID §2: lower-case trust domain, no port, query, fragment or percent-encoding; no empty, `.` or `..` segment.
parse(id) := {"trust_domain": trust_domain, "segments": segments} if {
	is_string(id)
	startswith(id, "spiffe://")
	count(id) <= 2048
	[trust_domain, segments] := parts(substring(id, 9, -1))
	count(trust_domain) <= 255
	regex.match(`^[a-z0-9._-]+$`, trust_domain)
	every segment in segments {
		regex.match(`^[A-Za-z0-9._-]+$`, segment)
		not segment in {".", ".."}
	}
}

parts(rest) := [rest, []] if not contains(rest, "/")

parts(rest) := [all[0], array.slice(all, 1, count(all))] if {
	contains(rest, "/")
	all := split(rest, "/")
}

# METADATA
# description: Whether the ID is of this trust domain, exactly.
in_trust_domain(id, trust_domain) if parse(id).trust_domain == trust_domain

# METADATA
# description: |
#   The values of a template's names, such as `/ns/{namespace}/sa/{account}` → `{"namespace": …, "account": …}`.
#   The path must have as many segments as the template, and the same text where the template has text.
match(id, trust_domain, template) := names if {
	parsed := parse(id)
	parsed.trust_domain == trust_domain
	names := names_in(template, parsed.segments)
}

names_in(template, segments) := names if {
	wanted := split(trim_prefix(template, "/"), "/")
	count(wanted) == count(segments)
	every i, segment in wanted {
		segment_matches(segment, segments[i])
	}
	names := {name: segments[i] |
		some i, segment in wanted
		is_name(segment)
		name := trim_suffix(trim_prefix(segment, "{"), "}")
	}
}

segment_matches(wanted, found) if wanted == found

segment_matches(wanted, found) if {
	is_name(wanted)
	found != ""
}

is_name(segment) if {
	startswith(segment, "{")
	endswith(segment, "}")
}

# The caller, as svidgate verified it. The quotes in the heads are the formatter's; callers write `identity.in(…)`.

pdp := {"pdp"}

pdp_or_envoy := {"pdp", "envoy"}

verified(by) if {
	input.identity.authenticated == true
	input.identity.verified_by in by
}

# METADATA
# description: Whether the caller is proved.
identity["authenticated"] if verified(pdp)

# METADATA
# description: The caller's SPIFFE ID.
identity["id"] := input.identity.spiffe_id if verified(pdp)

# METADATA
# description: Whether the caller is this one, by its whole SPIFFE ID.
identity["is"](id) if {
	verified(pdp)
	input.identity.spiffe_id == id
}

# METADATA
# description: Whether the caller is of this trust domain, exactly.
identity["in_trust_domain"](trust_domain) if {
	verified(pdp)
	input.identity.trust_domain == trust_domain
}

# METADATA
# description: |
#   Whether the caller is of this trust domain and its path is this list of segments, whole: `["ns", "shop", "*"]`.
#   `*` is any one segment.
identity["in"](trust_domain, pattern) if {
	identity.in_trust_domain(trust_domain)
	is_array(pattern)
	count(pattern) == count(input.identity.segments)
	begins_with(pattern)
}

# METADATA
# description: Whether the caller is of this trust domain and its path is at or below this list of segments; `*` is any one.
identity["below"](trust_domain, prefix) if {
	identity.in_trust_domain(trust_domain)
	begins_with(prefix)
}

# METADATA
# description: The values of a template's names, as `match` has them, for a caller of this trust domain.
identity["match"](trust_domain, template) := names if {
	identity.in_trust_domain(trust_domain)
	names := names_in(template, input.identity.segments)
}

# METADATA
# description: The Kubernetes namespace of a caller `/ns/{namespace}/sa/{service_account}` of this trust domain.
identity["namespace"](trust_domain) := identity.match(trust_domain, kubernetes).namespace

# METADATA
# description: The service account of a caller `/ns/{namespace}/sa/{service_account}` of this trust domain.
identity["service_account"](trust_domain) := identity.match(trust_domain, kubernetes).service_account

# METADATA
# description: |
#   The value of an attribute whose trust is one of these: `identity.attribute("environment", {"pdp", "operator"})`.
#   Say only whose word is good enough: docs/input.md.
identity["attribute"](name, trusts) := value if {
	verified(pdp)
	value := attribute_value(name, trusts)
}

# The same, or Envoy's word

identity_or_envoy["authenticated"] if verified(pdp_or_envoy)

identity_or_envoy["id"] := input.identity.spiffe_id if verified(pdp_or_envoy)

identity_or_envoy["is"](id) if {
	verified(pdp_or_envoy)
	input.identity.spiffe_id == id
}

identity_or_envoy["in_trust_domain"](trust_domain) if {
	verified(pdp_or_envoy)
	input.identity.trust_domain == trust_domain
}

identity_or_envoy["in"](trust_domain, pattern) if {
	identity_or_envoy.in_trust_domain(trust_domain)
	is_array(pattern)
	count(pattern) == count(input.identity.segments)
	begins_with(pattern)
}

identity_or_envoy["below"](trust_domain, prefix) if {
	identity_or_envoy.in_trust_domain(trust_domain)
	begins_with(prefix)
}

identity_or_envoy["match"](trust_domain, template) := names if {
	identity_or_envoy.in_trust_domain(trust_domain)
	names := names_in(template, input.identity.segments)
}

identity_or_envoy["namespace"](trust_domain) := identity_or_envoy.match(trust_domain, kubernetes).namespace

identity_or_envoy["service_account"](trust_domain) := identity_or_envoy.match(trust_domain, kubernetes).service_account

identity_or_envoy["attribute"](name, trusts) := value if {
	verified(pdp_or_envoy)
	value := attribute_value(name, trusts)
}

kubernetes := "/ns/{namespace}/sa/{service_account}"

begins_with(prefix) if {
	is_array(prefix)
	is_array(input.identity.segments)
	count(prefix) <= count(input.identity.segments)
	every i, segment in prefix {
		is_segment(segment, input.identity.segments[i])
	}
}

is_segment(wanted, found) if wanted == found

# No segment of a SPIFFE ID is a star.
is_segment("*", _)

attribute_value(name, trusts) := attribute.value if {
	attribute := input.identity.attributes[name]
	attribute.trust in trusts
}
