// PEM certificates that an operator or a renewal wrote: read whole, their dates held against the clock, problems as sentences
// that begin with where the text came from.

import { X509Certificate } from "node:crypto";

/** A text, and how sentences about it begin, such as "svidgate.tls.certificate: `/tls/cert.pem`". */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** What a check has to tell, one sentence each: problems keep the material out of use, warnings do not. */
export interface Findings {
  readonly problems: string[];
  readonly warnings: string[];
}

const BEGIN = "-----BEGIN CERTIFICATE-----";
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g;
/** A certificate with less than this part of its life left should have been renewed. */
const WARN_FRACTION = 0.1;

/** Every certificate of the text, in order; none of them when one is not whole. */
export function toCertificates({ name, text }: NamedText, found: Findings): readonly X509Certificate[] {
  const blocks = text.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0 || blocks.length !== text.split(BEGIN).length - 1) {
    const what = blocks.length === 0 ? "holds no whole PEM certificate" : "ends in the middle of a certificate";
    found.problems.push(`${name} ${what}: write the whole file, then move it into place`);
    return [];
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    found.problems.push(`${name} holds a PEM block that is no certificate`);
    return [];
  }
}

/** Tells of a certificate whose time is over, has not begun, or is nearly over. */
export function checkDates(name: string, certificate: X509Certificate, nowUnixMs: number, found: Findings): void {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  if (nowUnixMs > to) found.problems.push(`${name} has expired on ${toDate(to)}: renew it`);
  else if (nowUnixMs < from)
    found.problems.push(`${name} is not valid before ${toDate(from)}: check the clock of this machine`);
  else if (to - nowUnixMs < (to - from) * WARN_FRACTION) {
    found.warnings.push(`${name} expires on ${toDate(to)} and should have been renewed`);
  }
}

const toDate = (unixMs: number): string => new Date(unixMs).toISOString().replace(".000Z", "Z");

/** On one line, as certificates are usually named; bounded, since it comes from a file and goes to status and log. */
export const toSubject = ({ subject }: X509Certificate): string => (subject ?? "").split("\n").join(", ").slice(0, 512);
