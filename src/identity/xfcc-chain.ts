// The `Chain` of an x-forwarded-client-cert element as DER: candidates for path building, and no more than that.
// SECURITY: the peer chose these certificates. Nothing is believed of them until a path to an anchor of the right bundle is verified.

import { createHash } from "node:crypto";
import { decodeCanonical, percentDecode } from "../base/canonical.ts";
import { MAX_CERTIFICATE_BYTES } from "./certificate-fields.ts";
import type { XfccElement } from "./xfcc.ts";

const MAX_CANDIDATES = 8;
const MAX_BASE64_CHARS = Math.ceil(MAX_CERTIFICATE_BYTES / 3) * 4;
const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";
const BLOCK = new RegExp(`\\s*${BEGIN}\\s([A-Za-z0-9+/=\\s]*)${END}\\s*`, "y");

/**
 * The certificates behind the leaf, at most 8 of at most 16 KiB each, as DER that has not been parsed.
 * Undefined when the element has no `Chain`, when it is malformed or larger, or when it does not begin with the certificate of
 * the element's Hash: a path is then looked for without candidates.
 */
export function xfccChainDers(element: XfccElement): readonly Uint8Array[] | undefined {
  const { chain, hash } = element;
  if (chain === undefined || hash === undefined) return undefined;
  const pem = typeof chain === "string" ? percentDecode(chain) : chain.join("\n");
  const [leaf, ...rest] = (pem === undefined ? undefined : decodePem(pem, MAX_CANDIDATES + 1)) ?? [];
  if (leaf === undefined || createHash("sha256").update(leaf).digest("hex") !== hash) return undefined;
  return rest;
}

/** Blocks with nothing but white space between them. */
function decodePem(pem: string, maxBlocks: number): readonly Uint8Array[] | undefined {
  const ders: Uint8Array[] = [];
  for (let at = 0; at < pem.length; at = BLOCK.lastIndex) {
    BLOCK.lastIndex = at;
    const base64 = BLOCK.exec(pem)?.[1]?.replace(/\s/g, "");
    if (base64 === undefined || base64.length > MAX_BASE64_CHARS || ders.length === maxBlocks) return undefined;
    const der = decodeCanonical(base64, "base64");
    if (der === undefined || der.length > MAX_CERTIFICATE_BYTES) return undefined;
    ders.push(der);
  }
  return ders;
}
