// The TLS options of a request → Node's, with files and variables read where configuration allows them.
// Without certificates of its own a request is verified by Node's roots (and NODE_EXTRA_CA_CERTS), which is also what
// `tls_use_system_certs` adds to. SPEC: OPA 1.22.2, v1/topdown/http.go.

import { isIP } from "node:net";
import { createSecureContext, rootCertificates } from "node:tls";
import { invalid } from "./failure.ts";
import type { PemKind, TlsWishes } from "./request.ts";

/** PEM texts from outside of the policy. */
export interface PemSources {
  /** Rejects with HttpFailure: not allowed, or not readable. */
  readFile(path: string): Promise<string>;
  /** Throws HttpFailure when the variable may not be read; undefined when it is not set. */
  readEnvironment(name: string): string | undefined;
}

/** Options for `https.request`. */
export interface TlsMaterial {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: false;
  readonly servername?: string;
}

/** Reads what a request names. Rejects with HttpFailure. */
export async function loadTlsMaterial(wishes: TlsWishes, host: string, sources: PemSources): Promise<TlsMaterial> {
  const read = async (kind: PemKind, text: string): Promise<string> => {
    if (kind === "pem") return text;
    return kind === "file" ? sources.readFile(text) : (sources.readEnvironment(text) ?? "");
  };
  const own: string[] = [];
  for (const [kind, text] of wishes.caCertificates) {
    const pem = await read(kind, text);
    if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw invalid("could not append certificates");
    own.push(pem);
  }
  const pair = wishes.clientCertificates.at(-1);
  const client = pair && { cert: await read(pair[0], pair[1]), key: await read(pair[0], pair[2]) };
  const name = wishes.serverName ?? host;
  const material: TlsMaterial = {
    ...((own.length > 0 || wishes.useSystemCertificates) && {
      ca: [...(wishes.useSystemCertificates ? rootCertificates : []), ...own],
    }),
    ...client,
    ...(wishes.skipVerify && { rejectUnauthorized: false }),
    // SPEC: RFC 6066 §3: an address is no server name; the certificate is compared with it all the same.
    ...(isIP(name) === 0 && { servername: name }),
  };
  try {
    if (client !== undefined || own.length > 0) createSecureContext(material);
  } catch (error) {
    throw invalid(`tls: ${(error as Error).message}`);
  }
  return material;
}
