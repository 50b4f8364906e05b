// The certificates that the other end of a TLS connection sent, as DER that nobody has verified.
// SECURITY: not by `getPeerX509Certificate()`, which takes all but the leaf out of OpenSSL's list and never frees them: whoever is at
// the other end could fill our memory, a megabyte and more with each handshake (measured on Node 20, 24 and 26).

import type { DetailedPeerCertificate, TLSSocket } from "node:tls";

/** The leaf; undefined when none was sent. */
export function peerLeaf(socket: TLSSocket): Uint8Array | undefined {
  // Without a certificate this is null or an object without properties.
  const leaf: Partial<DetailedPeerCertificate> | null = socket.getPeerCertificate(false);
  return leaf?.raw;
}

/** SPIRE sends one or two, and no longer path would be taken. */
const MAX_INTERMEDIATES = 8;

/**
 * What stands behind the leaf, at most 8. Node gives the issuer by name of the leaf, the issuer of that, and so on; of two
 * with one name the first, and strangers not at all. SPEC: RFC 5246 §7.4.2 wants this order from the peer too, and Node may lose
 * the rest of a path that comes in another one.
 */
export function peerIntermediates(socket: TLSSocket): readonly Uint8Array[] {
  const ders: Uint8Array[] = [];
  let at: Partial<DetailedPeerCertificate> | null = socket.getPeerCertificate(true);
  // One that signed itself is its own issuer.
  while (at?.issuerCertificate !== undefined && at.issuerCertificate !== at && ders.length < MAX_INTERMEDIATES) {
    at = at.issuerCertificate;
    if (at.raw !== undefined) ders.push(at.raw);
  }
  return ders;
}
