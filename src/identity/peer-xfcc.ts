// x-forwarded-client-cert as far as it belongs to the connection at hand: its last element, bound to the peer's certificate by hash
// and to our side by name, gives candidates for the path and URIs that must agree. What is not bound says nothing.
// PERF: a proxy writes the same header on every request of a connection, so what a text parses to is remembered.

import type { XfccCode } from "./codes.ts";
import type { XfccReader } from "./resolver-parts.ts";
import { parseXfcc, selectXfcc, type XfccElement } from "./xfcc.ts";
import { xfccChainDers } from "./xfcc-chain.ts";

const MAX_REMEMBERED = 500;
/** Longer headers are read anew each time: 500 of these are 8 MB. */
const MAX_REMEMBERED_CHARS = 16_384;

type Parsed =
  | { readonly ok: true; readonly elements: readonly XfccElement[]; readonly chain: readonly Uint8Array[] | undefined }
  | { readonly ok: false; readonly code: XfccCode; readonly detail?: string };

/** `fingerprintOf` gives SHA-256 of the certificate behind Envoy's text, lower-case hex; undefined for one that cannot be read. */
export function createXfccReader(fingerprintOf: (sourceCertificate: string) => string | undefined): XfccReader {
  const remembered = new Map<string, Parsed>();

  const parse = (header: string): Parsed => {
    const known = remembered.get(header);
    if (known !== undefined) return known;
    const result = parseXfcc(header);
    const last = result.ok ? result.value.at(-1) : undefined;
    const chain = last === undefined ? undefined : xfccChainDers(last);
    const parsed: Parsed = result.ok ? { ok: true, elements: result.value, chain } : result;
    if (header.length <= MAX_REMEMBERED_CHARS) {
      const [oldest] = remembered.size < MAX_REMEMBERED ? [] : remembered.keys();
      if (oldest !== undefined) remembered.delete(oldest);
      remembered.set(header, parsed);
    }
    return parsed;
  };

  return {
    read: (header, sourceCertificate, destinationPrincipal) => {
      const parsed = parse(header);
      if (!parsed.ok) {
        const { code, detail } = parsed;
        return { ok: false, code: `xfcc_${code}`, ...(detail !== undefined && { detail }) };
      }
      const fingerprintSha256 = fingerprintOf(sourceCertificate);
      const bound =
        fingerprintSha256 === undefined
          ? undefined
          : selectXfcc(parsed.elements, { fingerprintSha256, destinationPrincipal });
      return bound === undefined
        ? { ok: true, uris: [], chain: undefined }
        : { ok: true, uris: bound.uris.filter((uri) => uri !== ""), chain: parsed.chain };
    },
  };
}
