// Certificate, key, client authorities and the list of who may ask, read from files and checked together: all of it is right, or
// every problem is told. A half-written file, a key of another certificate or an expired one never reaches a handshake.
// Kubernetes' and SPIRE's atomic swaps (`..data` links, renames) need nothing special: files are read by path at each load.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { open } from "node:fs/promises";
import { createSecureContext, type SecureVersion } from "node:tls";
import { parseCertificateFields } from "../identity/certificate-fields.ts";
import { isWorkloadId, parseSpiffeId } from "../identity/spiffe-id.ts";

/** Where the material is. */
export interface TlsFiles {
  /** PEM: the leaf, then intermediates. */
  readonly certificate: string;
  /** PEM, not encrypted. */
  readonly privateKey: string;
  /** PEM: authorities of client certificates; with it, client certificates are required. */
  readonly clientCa?: string | undefined;
  /** Exact SPIFFE IDs that may ask; at least one when `clientCa` is set. */
  readonly clientSpiffeIds: readonly string[];
  readonly minVersion: "1.2" | "1.3";
}

/** Material that was checked. */
export interface TlsMaterial {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
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

const MAX_FILE_BYTES = 1024 * 1024;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g;
/** TLS 1.2 with forward secrecy and authenticated encryption, and no keys or signatures below 112 bits; TLS 1.3 has only such. */
export const TLS_CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE+AESGCM",
  "ECDHE+CHACHA20",
  "@SECLEVEL=2",
].join(":");
/** A certificate with less than this part of its life left should have been renewed. */
const WARN_FRACTION = 0.1;

/** Reads and checks everything. `nowUnixMs` is what dates are held against. */
export async function loadTlsMaterial(files: TlsFiles, nowUnixMs: number): Promise<LoadedTls> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const [certificatePem, privateKeyPem, clientCaPem] = await Promise.all([
    readText("certificate", files.certificate, problems),
    readText("private_key", files.privateKey, problems),
    files.clientCa === undefined ? undefined : readText("client_ca", files.clientCa, problems),
  ]);
  const chain = toCertificates("certificate", files.certificate, certificatePem, problems);
  for (const [index, certificate] of chain.entries()) {
    checkDates(index === 0 ? "certificate" : `certificate (number ${index + 1} of the chain)`, files.certificate, {
      certificate,
      nowUnixMs,
      problems,
      warnings,
    });
  }
  const key = toKey(files.privateKey, privateKeyPem, problems);
  const [leaf] = chain;
  if (leaf !== undefined && key !== undefined && !leaf.checkPrivateKey(key)) {
    problems.push(
      `svidgate.tls.private_key: \`${files.privateKey}\` is not the key of \`${files.certificate}\`: write both from one renewal`,
    );
  }
  checkClientAuthorities(files, clientCaPem, nowUnixMs, problems, warnings);
  const clientSpiffeIds = toClientIds(files, problems);
  if (problems.length > 0 || leaf === undefined || certificatePem === undefined || privateKeyPem === undefined) {
    return { ok: false, problems };
  }
  const material: TlsMaterial = {
    certificatePem,
    privateKeyPem,
    clientCaPem,
    clientSpiffeIds,
    minVersion: `TLSv${files.minVersion}`,
    leaf: describe(leaf),
  };
  const refused = refusedByOpenssl(material);
  return refused === undefined ? { ok: true, material, warnings } : { ok: false, problems: [refused] };
}

async function readText(key: string, path: string, problems: string[]): Promise<string | undefined> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      if (size > MAX_FILE_BYTES) {
        problems.push(`svidgate.tls.${key}: \`${path}\` has ${size} bytes: more than a PEM file of certificates has`);
        return undefined;
      }
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT"
        ? "there is no such file"
        : code === "EACCES"
          ? "this user may not read it"
          : (code ?? "unreadable");
    problems.push(`svidgate.tls.${key}: cannot read \`${path}\`: ${why}`);
    return undefined;
  }
}

function toCertificates(
  key: string,
  path: string,
  pem: string | undefined,
  problems: string[],
): readonly X509Certificate[] {
  if (pem === undefined) return [];
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0 || blocks.length !== pem.split("-----BEGIN CERTIFICATE-----").length - 1) {
    const what = blocks.length === 0 ? "holds no whole PEM certificate" : "ends in the middle of a certificate";
    problems.push(`svidgate.tls.${key}: \`${path}\` ${what}: write the whole file, then move it into place`);
    return [];
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    problems.push(`svidgate.tls.${key}: \`${path}\` holds a PEM block that is no certificate`);
    return [];
  }
}

function toKey(path: string, pem: string | undefined, problems: string[]): KeyObject | undefined {
  if (pem === undefined) return undefined;
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const encrypted = (error as NodeJS.ErrnoException).code === "ERR_MISSING_PASSPHRASE" || pem.includes("ENCRYPTED");
    problems.push(
      encrypted
        ? `svidgate.tls.private_key: \`${path}\` is encrypted: write it without a passphrase and readable to svidgate alone`
        : `svidgate.tls.private_key: \`${path}\` holds no whole PEM private key`,
    );
    return undefined;
  }
}

interface DateCheck {
  readonly certificate: X509Certificate;
  readonly nowUnixMs: number;
  readonly problems: string[];
  readonly warnings: string[];
}

function checkDates(key: string, path: string, { certificate, nowUnixMs, problems, warnings }: DateCheck): void {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  const name = `svidgate.tls.${key}: \`${path}\``;
  if (nowUnixMs > to) problems.push(`${name} has expired on ${toDate(to)}: renew it`);
  else if (nowUnixMs < from)
    problems.push(`${name} is not valid before ${toDate(from)}: check the clock of this machine`);
  else if (to - nowUnixMs < (to - from) * WARN_FRACTION) {
    warnings.push(`${name} expires on ${toDate(to)} and should have been renewed`);
  }
}

const toDate = (unixMs: number): string => new Date(unixMs).toISOString().replace(".000Z", "Z");

function checkClientAuthorities(
  { clientCa }: TlsFiles,
  pem: string | undefined,
  nowUnixMs: number,
  problems: string[],
  warnings: string[],
): void {
  if (clientCa === undefined || pem === undefined) return;
  const authorities = toCertificates("client_ca", clientCa, pem, problems);
  const name = `svidgate.tls.client_ca: \`${clientCa}\``;
  for (const certificate of authorities.filter(({ ca }) => !ca)) {
    problems.push(
      `${name} holds \`${toSubject(certificate)}\`, which is no authority: list the certificates that sign clients', not clients'`,
    );
  }
  const expired = authorities.filter(({ validTo }) => nowUnixMs > Date.parse(validTo));
  if (expired.length === 0) return;
  const told = `${name} holds \`${expired.map(toSubject).join("`, `")}\`, which has expired`;
  if (expired.length === authorities.length) problems.push(`${told}: nobody could ask; write the current authorities`);
  else warnings.push(told);
}

function toClientIds(files: TlsFiles, problems: string[]): ReadonlySet<string> | undefined {
  for (const text of files.clientSpiffeIds) {
    const parsed = parseSpiffeId(text);
    if (!parsed.ok) {
      problems.push(
        `svidgate.tls.client_spiffe_ids: \`${text}\` is no SPIFFE ID (${parsed.code}): IDs are exact, such as spiffe://example.org/ns/edge/sa/envoy`,
      );
    } else if (!isWorkloadId(parsed.value)) {
      problems.push(
        `svidgate.tls.client_spiffe_ids: \`${text}\` names a trust domain: list the workloads that may ask, one by one`,
      );
    }
  }
  return files.clientCa === undefined ? undefined : new Set(files.clientSpiffeIds);
}

/** What OpenSSL says against material that reads well: keys that are too weak, algorithms that it does not take. */
function refusedByOpenssl(material: TlsMaterial): string | undefined {
  try {
    createSecureContext({
      cert: material.certificatePem,
      key: material.privateKeyPem,
      ...(material.clientCaPem === undefined ? {} : { ca: material.clientCaPem }),
      ciphers: TLS_CIPHERS,
      minVersion: material.minVersion,
    });
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return `svidgate.tls.certificate: OpenSSL does not take it: ${code ?? message}`;
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

/** On one line, as certificates are usually named; bounded, since it comes from a file and goes to status and log. */
const toSubject = ({ subject }: X509Certificate): string => (subject ?? "").split("\n").join(", ").slice(0, 512);
