// TLS material from files. Kubernetes' and SPIRE's atomic swaps (`..data` links, renames) need nothing special: files are read
// by path at each load. When they are read again is not decided here.

import { readBounded } from "../identity/sources/watched-file.ts";
import type { ClientRules } from "./tls-client-rules.ts";
import { checkTlsMaterial, type LoadedTls } from "./tls-material.ts";
import type { Findings, NamedText } from "./tls-pem.ts";

/** Where the material is. */
export interface TlsFiles extends Omit<ClientRules, "clientCa"> {
  /** PEM: the leaf, then intermediates. */
  readonly certificate: string;
  /** PEM, not encrypted. */
  readonly privateKey: string;
  /** PEM: authorities of client certificates. */
  readonly clientCa?: string | undefined;
}

const MAX_FILE_BYTES = 1024 * 1024;

/** Reads and checks everything. `nowUnixMs` is what dates are held against. */
export async function loadTlsMaterial(files: TlsFiles, nowUnixMs: number): Promise<LoadedTls> {
  const found: Findings = { problems: [], warnings: [] };
  const [certificate, privateKey, clientCa] = await Promise.all([
    readPem("certificate", files.certificate, found),
    readPem("private_key", files.privateKey, found),
    readClientCa(files.clientCa, found),
  ]);
  const own = { ...(certificate && { certificate }), ...(privateKey && { privateKey }) };
  return checkTlsMaterial(own, { ...files, clientCa }, nowUnixMs, found);
}

/** The authorities' file, where one is named. */
export async function readClientCa(path: string | undefined, found: Findings): Promise<NamedText | undefined> {
  return path === undefined ? undefined : readPem("client_ca", path, found);
}

async function readPem(key: string, path: string, found: Findings): Promise<NamedText | undefined> {
  const read = await readBounded(path, MAX_FILE_BYTES);
  const name = `svidgate.tls.${key}: \`${path}\``;
  if (read.ok) return { name, text: read.value.bytes.toString("utf8") };
  switch (read.code) {
    case "too_large":
      found.problems.push(`${name} ${read.detail ?? ""}, as PEM files of certificates have`);
      break;
    case "missing":
      found.problems.push(`svidgate.tls.${key}: cannot read \`${path}\`: there is no such file`);
      break;
    default:
      found.problems.push(`${name} ${read.detail ?? read.code}`);
  }
  return undefined;
}
