// svidgate's own X.509-SVID: the first identity of a message of the Workload API, its parts read and found to belong together.
// Whether it is trusted, and its dates, are for whoever is shown it.
// SPEC: Workload API §5.2.1, §8 (the first is the default identity), X509-SVID §2 and §3.
// SECURITY: no sentence made here holds anything of the key.

import { createPrivateKey, type KeyObject } from "node:crypto";
import { fail, ok, type Result } from "../../base/result.ts";
import { parseCertificate } from "../certificate.ts";
import { isWorkloadId, parseSpiffeId } from "../spiffe-id.ts";
import { splitCertificates, type X509SvidMessage } from "./workload-messages.ts";

/** An identity to show to others. */
export interface OwnSvid {
  readonly spiffeId: string;
  /** DER, leaf first. */
  readonly certificateChain: readonly Uint8Array[];
  /** DER. SECURITY: a secret, never to be logged. */
  readonly privateKeyPkcs8: Uint8Array;
  /** What the identity is for, where there are several. */
  readonly hint?: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** Why an identity is not taken. */
export type OwnSvidCode =
  | "own_svid_id"
  | "own_svid_certificates"
  | "own_svid_id_mismatch"
  | "own_svid_key"
  | "own_svid_key_mismatch";

/** Leaf and intermediates. */
const MAX_CHAIN = 10;

/** Reads one identity. */
export function parseOwnSvid(message: X509SvidMessage): Result<OwnSvid, OwnSvidCode> {
  const id = parseSpiffeId(message.spiffeId);
  if (!id.ok) return fail("own_svid_id", `\`${message.spiffeId.slice(0, 100)}\` is no SPIFFE ID: ${id.code}`);
  if (!isWorkloadId(id.value)) return fail("own_svid_id", "the ID of a trust domain, not of a workload");
  // Copies, so that what is kept does not hold the whole message in memory, with the keys of the other identities in it.
  const privateKeyPkcs8 = new Uint8Array(message.privateKey);
  const split = splitCertificates(new Uint8Array(message.certificates));
  const [leaf, ...intermediates] = split.ok ? split.value : [];
  if (leaf === undefined || intermediates.length >= MAX_CHAIN) {
    return fail("own_svid_certificates", `expected 1 to ${MAX_CHAIN} certificates, DER, one after the other`);
  }
  const certificate = parseCertificate(leaf);
  if (!certificate.ok || intermediates.some((der) => !parseCertificate(der).ok)) {
    return fail("own_svid_certificates", "a certificate is unreadable");
  }
  const { x509, fields } = certificate.value;
  const { uris, notBeforeUnixMs, notAfterUnixMs } = fields;
  if (uris.length !== 1 || uris[0] !== message.spiffeId) {
    return fail("own_svid_id_mismatch", `the certificate does not name \`${message.spiffeId}\``);
  }
  const key = readPrivateKey(privateKeyPkcs8);
  if (key === undefined) return fail("own_svid_key", "expected an unencrypted private key, PKCS #8, DER");
  if (!x509.checkPrivateKey(key)) return fail("own_svid_key_mismatch", "the key is not the certificate's");
  return ok({
    spiffeId: message.spiffeId,
    certificateChain: [leaf, ...intermediates],
    privateKeyPkcs8,
    ...(message.hint === "" ? {} : { hint: message.hint }),
    notBeforeUnixMs,
    notAfterUnixMs,
  });
}

/** As node:tls takes it; the chain without its root, leaf first. */
export function toPem({ certificateChain, privateKeyPkcs8 }: OwnSvid): {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
} {
  const armour = (label: string, der: Uint8Array): string =>
    `-----BEGIN ${label}-----\n${Buffer.from(der)
      .toString("base64")
      .replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;
  return {
    certificatePem: certificateChain.map((der) => armour("CERTIFICATE", der)).join(""),
    privateKeyPem: armour("PRIVATE KEY", privateKeyPkcs8),
  };
}

function readPrivateKey(der: Uint8Array): KeyObject | undefined {
  try {
    return createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  } catch {
    return undefined;
  }
}
