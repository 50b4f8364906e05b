// What of a request's target may be written down: the path without its secrets' usual places, the host without its user.
// SECURITY: queries and fragments carry tokens (`?access_token=`), segment parameters carry sessions (`;jsessionid=`), authorities
// carry `user:password@`. Encoded separators (`%3f`, `%3b`) stay: to most servers they are ordinary characters of the path, and a
// caller who could end the written path early could hide what was called.

const SEGMENT_PARAMETERS = /;[^/]*/g;

/** The path up to the first `?` or `#`; each segment's parameters become `;-`, so that the place still shows. */
export function toAuditPath(rawPath: string): string {
  const query = rawPath.indexOf("?");
  const fragment = rawPath.indexOf("#");
  const end = Math.min(query === -1 ? rawPath.length : query, fragment === -1 ? rawPath.length : fragment);
  const path = end === rawPath.length ? rawPath : rawPath.slice(0, end);
  return path.includes(";") ? path.replace(SEGMENT_PARAMETERS, ";-") : path;
}

/** The authority without user information: what follows the last `@`. */
export const toAuditHost = (authority: string): string => authority.slice(authority.lastIndexOf("@") + 1);
