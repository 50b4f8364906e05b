import assert from "node:assert/strict";
import { it } from "node:test";
import { parseTrustBundle, type TrustBundle } from "../../../src/identity/trust-bundle.ts";
import { createTrustBundleSource } from "../../../src/identity/trust-bundle-source.ts";

function bundleOf(trustDomain: string): TrustBundle {
  const parsed = parseTrustBundle('{"keys":[]}', { trustDomain });
  assert.ok(parsed.ok);
  return parsed.value;
}

it("finds a bundle by the whole name of its trust domain, and gives each a generation of its own", () => {
  const [first, second] = [bundleOf("td1.test"), bundleOf("td2.test")];
  const source = createTrustBundleSource([first, second]);
  assert.equal(source.find("td1.test")?.bundle, first);
  assert.equal(source.find("td2.test")?.bundle, second);
  assert.notEqual(source.find("td1.test")?.generation, source.find("td2.test")?.generation);
  assert.equal(source.find("td1.test"), source.find("td1.test"));
  for (const name of ["", "td1.test.", "a.td1.test", "TD1.test", "constructor"])
    assert.equal(source.find(name), undefined);
});

it("takes anything that can be gone through once, and what becomes of it later changes nothing", () => {
  const list = [bundleOf("td1.test")];
  const source = createTrustBundleSource(new Set(list));
  list.pop();
  assert.ok(source.find("td1.test"));
  assert.equal(createTrustBundleSource([]).find("td1.test"), undefined);
});

it("refuses two bundles of one trust domain, and names that no ID can have", () => {
  assert.throws(() => createTrustBundleSource([bundleOf("td1.test"), bundleOf("td1.test")]), RangeError);
  for (const name of ["", "spiffe://td1.test", "td1.test/x", "TD1.test", "td1.test:443", "td1 test"]) {
    assert.throws(() => createTrustBundleSource([bundleOf(name)]), RangeError, name);
  }
});
