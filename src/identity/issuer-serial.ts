// One key for a certificate authority's name and a serial number, however tools print them: openssl writes `C = US, O = SPIRE` or
// `C=US, O=SPIRE`, RFC 4514 `O=SPIRE,C=US`; serial numbers come with colons, in upper case, with zeros in front.
// SECURITY: only for the deny list, where taking two writings of one name for the same denies more and never less. Never to trust.

const SEPARATOR = /(?<!\\)(?:\\\\)*[,+\n]/g;

/** How many names of issuers are kept in their common form: there are as many as certificate authorities. */
const MAX_ISSUERS_KEPT = 1_000;

/** A function that gives what two writings of one issuer and one serial number have in common. */
export function createIssuerSerialKey(): (issuer: string, serial: string) => string {
  // PERF: taking a name apart costs more than a microsecond.
  const issuers = new Map<string, string>();
  return (issuer, serial) => {
    let key = issuers.get(issuer);
    if (key === undefined) {
      if (issuers.size === MAX_ISSUERS_KEPT) issuers.clear();
      key = issuerKey(issuer);
      issuers.set(issuer, key);
    }
    return `${serialKey(serial)} ${key}`;
  };
}

/** Lower-case hex digits without colons and zeros in front. */
const serialKey = (serial: string): string =>
  serial
    .replaceAll(":", "")
    .toLowerCase()
    .replace(/^0+(?=.)/, "");

/** The attributes in one order, without space around them; a backslash and what it escapes become what it escapes. */
function issuerKey(issuer: string): string {
  const parts: string[] = [];
  let start = 0;
  for (const { index, 0: separator } of issuer.matchAll(SEPARATOR)) {
    parts.push(issuer.slice(start, index + separator.length - 1));
    start = index + separator.length;
  }
  parts.push(issuer.slice(start));
  return parts
    .map((part) => {
      const equals = part.indexOf("=");
      const type = part.slice(0, Math.max(equals, 0)).trim().toUpperCase();
      return `${type}=${part
        .slice(equals + 1)
        .trim()
        .replace(/\\(.)/g, "$1")}`;
    })
    .sort()
    .join("\n");
}
