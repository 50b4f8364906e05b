// Intermediates that were read: a few authorities sign for many workloads, and reading one takes longer than checking a signature.
// It keeps what a certificate says, not whether it is believed.

import { hash } from "node:crypto";
import { type Certificate, readCertificate } from "./certificate.ts";

/** A `readCertificate` that remembers. */
export interface CertificateMemory {
  read: typeof readCertificate;
}

const MAX_ENTRIES = 128;

/** Remembers the last 128 certificates, each at most 16 KiB; what does not parse is not kept. */
export function createCertificateMemory(): CertificateMemory {
  const known = new Map<string, Certificate>();
  return {
    read: (der) => {
      const fingerprint = hash("sha256", der);
      const found = known.get(fingerprint);
      if (found !== undefined) {
        known.delete(fingerprint);
        known.set(fingerprint, found);
        return { ok: true, value: found };
      }
      // A copy: the bytes may be a view into a request.
      const parsed = readCertificate(Uint8Array.from(der));
      if (!parsed.ok) return parsed;
      for (const oldest of known.keys()) {
        if (known.size < MAX_ENTRIES) break;
        known.delete(oldest);
      }
      known.set(fingerprint, parsed.value);
      return parsed;
    },
  };
}
