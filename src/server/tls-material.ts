// What the listener's TLS is made of: its own certificate and key, and how clients prove who they are. From files (tls-files.ts)
// or from the Workload API, it passes the same checks: all of it is right, or every problem is told, so that a key of another
// certificate or an expired one never reaches a handshake. It reads no files.

import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import { createSecureContext, type SecureVersion } from "node:tls";
import { inspect } from "node:util";
import { parseCertificateFields } from "../identity/certificate-fields.ts";
import { type OwnSvid, toPem } from "../identity/sources/own-svid.ts";
import { parseSpiffeId } from "../identity/spiffe-id.ts";
import { type ClientRules, checkClientRules } from "./tls-client-rules.ts";
import { checkDates, type Findings, type NamedText, toCertificates, toSubject } from "./tls-pem.ts";

/** Own certificate and key as text, each with the name that problems begin with. */
export interface OwnTexts {
  /** PEM: the leaf, then intermediates. */
  readonly certificate: NamedText;
  /** PEM, not encrypted. */
  readonly privateKey: NamedText;
}

/** How clients prove who they are: not at all, to the authorities of `client_ca`, or to their trust domain's bundle. */
export type ClientProof = "none" | "client_ca" | "bundles";

/** Material that was checked. */
export interface TlsMaterial {
  readonly certificatePem: string;
  readonly privateKey: HiddenPem;
  readonly clientProof: ClientProof;
  /** With `client_ca` alone. */
  readonly clientCaPem: string | undefined;
  /** Undefined when no client certificate is asked for. */
  readonly clientSpiffeIds: ReadonlySet<string> | undefined;
  readonly minVersion: SecureVersion;
  readonly leaf: ServerCertificate;
}

/** What there is to tell of the listener's own certificate. */
export interface ServerCertificate {
  readonly subject: string;
  /** When it has exactly one URI name and that is a SPIFFE ID. */
  readonly spiffeId: string | undefined;
  readonly serial: string;
  readonly sha256: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** Material, or all that is wrong with it; one sentence each. */
export type LoadedTls =
  | { readonly ok: true; readonly material: TlsMaterial; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A private key that no log line, status page or error shows by accident. */
export class HiddenPem {
  readonly #pem: string;

  constructor(pem: string) {
    this.#pem = pem;
  }

  /** For OpenSSL, and for comparing. */
  reveal(): string {
    return this.#pem;
  }

  toJSON(): string {
    return "[hidden]";
  }

  [inspect.custom](): string {
    return "[hidden]";
  }
}

/** TLS 1.2 with forward secrecy and authenticated encryption, and no keys or signatures below 112 bits; TLS 1.3 has only such. */
export const TLS_CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE+AESGCM",
  "ECDHE+CHACHA20",
  "@SECLEVEL=2",
].join(":");

/** Checks own certificate and key together with the rules for clients. `nowUnixMs` is what dates are held against. */
export function checkTlsMaterial(
  own: Partial<OwnTexts>,
  clients: ClientRules,
  now: number,
  found: Findings,
): LoadedTls {
  const { certificate, privateKey } = own;
  const chain = certificate === undefined ? [] : toCertificates(certificate, found);
  for (const [index, one] of chain.entries()) {
    const { name = "" } = certificate ?? {};
    checkDates(index === 0 ? name : `${name} (number ${index + 1} of the chain)`, one, now, found);
  }
  const key = privateKey === undefined ? undefined : toKey(privateKey, found);
  const [leaf] = chain;
  if (leaf !== undefined && key !== undefined && !leaf.checkPrivateKey(key)) {
    found.problems.push(`${privateKey?.name} is not the key of ${certificate?.name}: write both from one renewal`);
  }
  const { clientProof, clientCaPem, clientSpiffeIds, minVersion } = checkClientRules(clients, now, found);
  if (found.problems.length > 0 || leaf === undefined || certificate === undefined || privateKey === undefined) {
    return { ok: false, problems: found.problems };
  }
  const material: TlsMaterial = {
    certificatePem: certificate.text,
    privateKey: new HiddenPem(privateKey.text),
    clientProof,
    clientCaPem,
    clientSpiffeIds,
    minVersion,
    leaf: describe(leaf),
  };
  const refused = refusedByOpenssl(material);
  if (refused === undefined) return { ok: true, material, warnings: found.warnings };
  return { ok: false, problems: [`${certificate.name}: OpenSSL does not take it: ${refused}`] };
}

/** Material of the SVID that the Workload API gave, checked like files are, and for the ID that it says it is for. */
export function toTlsMaterial(own: OwnSvid, clients: ClientRules, nowUnixMs: number, found: Findings): LoadedTls {
  const name = `svidgate.tls.source: the Workload API's SVID \`${own.spiffeId}\``;
  const { certificatePem, privateKeyPem } = toPem(own);
  const texts: OwnTexts = {
    certificate: { name, text: certificatePem },
    privateKey: { name: "svidgate.tls.source: the Workload API's key", text: privateKeyPem },
  };
  const checked = checkTlsMaterial(texts, clients, nowUnixMs, found);
  if (!checked.ok || checked.material.leaf.spiffeId === own.spiffeId) return checked;
  return { ok: false, problems: [`${name} holds a certificate of \`${checked.material.leaf.spiffeId ?? "nobody"}\``] };
}

/** Whether a handshake would be the same with both. */
export function isSameMaterial(a: TlsMaterial, b: TlsMaterial): boolean {
  return (
    a.certificatePem === b.certificatePem &&
    a.privateKey.reveal() === b.privateKey.reveal() &&
    a.clientProof === b.clientProof &&
    a.clientCaPem === b.clientCaPem &&
    a.minVersion === b.minVersion &&
    [...(a.clientSpiffeIds ?? [])].join() === [...(b.clientSpiffeIds ?? [])].join()
  );
}

function toKey({ name, text }: NamedText, found: Findings): KeyObject | undefined {
  try {
    return createPrivateKey(text);
  } catch (error) {
    const encrypted = (error as NodeJS.ErrnoException).code === "ERR_MISSING_PASSPHRASE" || text.includes("ENCRYPTED");
    found.problems.push(
      encrypted
        ? `${name} is encrypted: write it without a passphrase and readable to svidgate alone`
        : `${name} holds no whole PEM private key`,
    );
    return undefined;
  }
}

/** What OpenSSL says against material that reads well: keys that are too weak, algorithms that it does not take. */
function refusedByOpenssl(material: TlsMaterial): string | undefined {
  try {
    createSecureContext({
      cert: material.certificatePem,
      key: material.privateKey.reveal(),
      ca: material.clientCaPem ?? [],
      ciphers: TLS_CIPHERS,
      minVersion: material.minVersion,
    });
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code ?? message;
  }
}

function describe(leaf: X509Certificate): ServerCertificate {
  const fields = parseCertificateFields(leaf.raw);
  const [uri, ...others] = fields.ok ? fields.value.uris : [];
  return {
    subject: toSubject(leaf),
    spiffeId: uri !== undefined && others.length === 0 && parseSpiffeId(uri).ok ? uri : undefined,
    serial: leaf.serialNumber,
    sha256: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
    notBeforeUnixMs: Date.parse(leaf.validFrom),
    notAfterUnixMs: Date.parse(leaf.validTo),
  };
}
