# METADATA
# title: SPIFFE IDs by their parts
# description: >-
#   IDs are taken apart and compared segment by segment, never by the beginning of their text:
#   `spiffe://example.org.evil/…` begins with `spiffe://example.org`, and `/ns/shop-test` with `/ns/shop`.
#   Names nobody: whether an ID is verified is said by where it was taken from.
package svidgate.spiffe

# METADATA
# description: |
#   `{"trust_domain": …, "segments": […]}` of a SPIFFE ID; undefined for anything else.
#   SPEC: SPIFFE-ID §2: lower-case trust domain, no port, query, fragment or percent-encoding; no empty, `.` or `..` segment.
parse(id) := {"trust_domain": trust_domain, "segments": segments} if {
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
	wanted := split(trim_prefix(template, "/"), "/")
	count(wanted) == count(parsed.segments)
	every i, segment in wanted {
		segment_matches(segment, parsed.segments[i])
	}
	names := {name: parsed.segments[i] |
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
