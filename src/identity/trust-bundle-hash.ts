// Tells whether two bundles hold the same authorities: order, sequence and hints make no difference to any verdict.

import { createHash } from "node:crypto";
import type { TrustBundle } from "./trust-bundle.ts";

/** SHA-256 over the authorities of both kinds, in hex. */
export function contentHash({ x509Authorities, jwtAuthorities }: TrustBundle): string {
  const hash = createHash("sha256");
  const lines = [
    ...x509Authorities.map(({ fingerprintSha256 }) => `x509 ${fingerprintSha256}`),
    ...[...jwtAuthorities.values()].map(
      // A key ID may hold any character; as JSON it ends where it ends.
      ({ keyId, key }) =>
        `jwt ${JSON.stringify(keyId)} ${key.export({ type: "spki", format: "der" }).toString("base64")}`,
    ),
  ];
  for (const line of lines.sort()) hash.update(`${line}\n`);
  return hash.digest("hex");
}
