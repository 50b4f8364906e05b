// Parsed trust bundles as the verifiers ask for them: a set that never changes, for programs that read their bundles themselves.
// What keeps bundles current, and knows how old they are, is trust-bundles.ts.
// SECURITY: one bundle for each trust domain: two that were joined would let each one's authorities sign for the other's workloads.

import { parseSpiffeId } from "./spiffe-id.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import type { HeldBundle, TrustBundleSource } from "./trust-bundles.ts";

/** Holds these bundles for good. Throws RangeError for a name that is no trust domain's, and for one that comes twice. */
export function createTrustBundleSource(bundles: Iterable<TrustBundle>): TrustBundleSource {
  const held = new Map<string, HeldBundle>();
  for (const bundle of bundles) {
    const { trustDomain } = bundle;
    const id = parseSpiffeId(`spiffe://${trustDomain}`);
    if (!id.ok || id.value.path !== "") {
      throw new RangeError(
        `\`${trustDomain}\`: no trust domain's name: give it without \`spiffe://\` and without a path`,
      );
    }
    if (held.has(trustDomain)) throw new RangeError(`\`${trustDomain}\`: two bundles: a trust domain has one`);
    held.set(
      trustDomain,
      Object.freeze({ bundle, generation: held.size + 1, source: "file", lastSuccessUnixMs: Date.now() }),
    );
  }
  return { find: (trustDomain) => held.get(trustDomain) };
}
