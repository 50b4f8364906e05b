# METADATA
# title: Request paths
# description: >-
#   Compares `input.parsed_path` segment by segment. The path is percent-decoded by then: `%2F` has become a separator and
#   `%2E%2E` a `..`, so a path with `.` or `..` matches nothing: the service behind might walk up with it. A service that
#   merges `//` or drops `;v=1` from segments must be known to; such paths are as they are here.
package svidgate.http

# METADATA
# description: The method, as sent.
method := input.attributes.request.http.method

# METADATA
# description: The value of a request header by its lower-case name; undefined when the request has none.
header(name) := input.attributes.request.http.headers[name]

# METADATA
# description: |
#   Whether the path is this pattern, whole: `/orders/{id}` is any one non-empty segment below `/orders`, a last
#   segment `**` is all paths at or below.
path_matches(pattern) if {
	wanted := segments_of(pattern)
	not endswith(pattern, "/**")
	count(wanted) == count(input.parsed_path)
	prefix_matches(wanted)
}

path_matches(pattern) if {
	endswith(pattern, "/**")
	wanted := segments_of(trim_suffix(pattern, "/**"))
	count(wanted) <= count(input.parsed_path)
	prefix_matches(wanted)
}

# METADATA
# description: Whether the path is at or below the prefix; `/orders` is no prefix of `/orders-archive`.
path_below(prefix) if path_matches(sprintf("%s/**", [trim_suffix(prefix, "/")]))

prefix_matches(wanted) if {
	not climbs
	every i, segment in wanted {
		segment_matches(segment, input.parsed_path[i])
	}
}

# The path `/` has one empty segment in `parsed_path`.
segments_of(pattern) := split(trim_prefix(pattern, "/"), "/") if pattern != ""

segments_of("") := []

segment_matches(wanted, found) if wanted == found

segment_matches(wanted, found) if {
	startswith(wanted, "{")
	endswith(wanted, "}")
	found != ""
}

climbs if {
	some segment in input.parsed_path
	segment in {".", ".."}
}
