// One key for a certificate authority's name and a serial number, however tools print them: openssl writes `C = US, O = SPIRE` or
// `C=US, O=SPIRE`, RFC 4514 `O=SPIRE,C=US`, what is special in quotes or behind backslashes; serial numbers come with colons, in
// upper case, with zeros in front.
// SECURITY: only for the deny list, where taking two writings of one name for the same denies more and never less. Never to trust.

const TOKEN = /((?:\\[0-9a-fA-F]{2})+)|\\([\s\S])|[",+\n]|[^\\",+\n]+|\\/g;
const SEPARATORS: ReadonlySet<string> = new Set([",", "+", "\n"]);

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

/**
 * The attributes in one order, without space around them. Quotes go, and what a backslash escapes stands for itself: a character, or
 * two hex digits for each byte of UTF-8, as openssl prints what is not ASCII.
 */
function issuerKey(issuer: string): string {
  const parts: string[] = [];
  let part = "";
  let isQuoted = false;
  for (const [token, bytes, character] of issuer.matchAll(TOKEN)) {
    if (bytes !== undefined) part += Buffer.from(bytes.replaceAll("\\", ""), "hex").toString("utf8");
    else if (character !== undefined) part += character;
    else if (token === '"') isQuoted = !isQuoted;
    else if (!isQuoted && SEPARATORS.has(token)) {
      parts.push(part);
      part = "";
    } else part += token;
  }
  parts.push(part);
  return parts
    .map((attribute) => {
      const equals = attribute.indexOf("=");
      const type = attribute.slice(0, Math.max(equals, 0)).trim().toUpperCase();
      return `${type}=${attribute.slice(equals + 1).trim()}`;
    })
    .sort()
    .join("\n");
}
