// What is kept of a message; what becomes of the messages is in test/integration/workload-api.test.ts.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { createWorkloadBundles } from "../../../../src/identity/sources/workload-bundles.ts";
import type { TrustBundle } from "../../../../src/identity/trust-bundle.ts";
import { createTrustBundles } from "../../../../src/identity/trust-bundles.ts";
import { createTestAuthority } from "../../../support/ca.ts";
import { createManualClock } from "../../../support/manual-clock.ts";
import { x509Bundles } from "../../../support/workload-api-server.ts";

const authority = await createTestAuthority();
const der = new X509Certificate(authority.certificatePem).raw;

describe("what is kept of a message of the Workload API", () => {
  it("is a copy: the memory of the message, with everybody else's part in it, can be given back", () => {
    const store = createTrustBundles({
      clock: createManualClock(),
      trustDomains: new Map(),
      others: { origin: "workload_api", maxStalenessMs: 0 },
    });
    const taken: TrustBundle[] = [];
    let confirmed = 0;
    const sink = store.sink("workload_api");
    const bundles = createWorkloadBundles({
      ...sink,
      replace: (bundle) => {
        taken.push(bundle);
        return sink.replace(bundle);
      },
      confirm: () => {
        confirmed++;
      },
    });
    const message = (): Uint8Array => new Uint8Array(x509Bundles({ "spiffe://example.org": der }));
    const first = message();
    assert.equal(bundles.take("x509", first), undefined);
    const kept = taken[0]?.x509Authorities[0]?.der;
    assert.deepEqual(kept && Buffer.from(kept), der);
    assert.notEqual(kept?.buffer, first.buffer);
    assert.equal(kept?.buffer.byteLength, der.length);
    first.fill(0);
    assert.equal(bundles.take("x509", message()), undefined);
    assert.deepEqual([taken.length, confirmed], [1, 1], "the same again, as the first value was kept by itself");
  });
});
