// Trust bundles for tests of verifiers: one unchanging set, or one that a test replaces.

import { parseCertificate } from "../../src/identity/certificate.ts";
import type { HeldBundle, TrustBundleSource } from "../../src/identity/trust-bundles.ts";
import type { SignedCertificate } from "./signed-certificate.ts";

export interface TestBundles extends TrustBundleSource {
  /** Puts these authorities in force, under a new generation. */
  hold(trustDomain: string, authorities: readonly SignedCertificate[]): void;
  withdraw(trustDomain: string): void;
}

/** Bundles of X.509 authorities. */
export function createTestBundles(first: Readonly<Record<string, readonly SignedCertificate[]>> = {}): TestBundles {
  const held = new Map<string, HeldBundle>();
  let generation = 0;
  const hold: TestBundles["hold"] = (trustDomain, authorities) => {
    const x509Authorities = authorities.map(({ der }) => {
      const parsed = parseCertificate(der);
      if (!parsed.ok) throw new Error(`a test's authority does not parse: ${parsed.code} ${parsed.detail}`);
      return parsed.value;
    });
    const rest = { jwtAuthorities: new Map(), sequence: undefined, refreshHintSeconds: undefined, ignored: [] };
    held.set(trustDomain, {
      bundle: { trustDomain, x509Authorities, ...rest },
      generation: ++generation,
      source: "file",
      lastSuccessUnixMs: 0,
    });
  };
  for (const [trustDomain, authorities] of Object.entries(first)) hold(trustDomain, authorities);
  return { find: (trustDomain) => held.get(trustDomain), hold, withdraw: (trustDomain) => held.delete(trustDomain) };
}
