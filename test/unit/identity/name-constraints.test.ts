// SPEC: RFC 5280 §4.2.1.10; the rows for URIs are what SPIFFE IDs meet, the others keep an authority from being believed about
// names that it must not give.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCertificate } from "../../../src/identity/certificate.ts";
import { satisfiesNameConstraints } from "../../../src/identity/name-constraints.ts";
import { commonName, element, extension, oid, sequence } from "../../support/der-certificate.ts";
import { issueAuthority, issueCertificate, nameConstraints } from "../../support/signed-certificate.ts";

const [EMAIL, DNS, DIRECTORY, URI, IP, REGISTERED] = [0x81, 0x82, 0xa4, 0x86, 0x87, 0x88];
type Subtrees = readonly (readonly [number, string | Buffer])[];

/** Whether a certificate with these names may stand below an authority with these constraints. */
function holds(
  names: Subtrees,
  permitted: Subtrees,
  excluded: Subtrees = [],
  subject: string | Buffer = "workload",
): boolean {
  const authority = parseCertificate(
    issueAuthority(undefined, { nameConstraints: nameConstraints(permitted, excluded) }).der,
  );
  const list = sequence(...names.map(([tag, value]) => element(tag, Buffer.from(value))));
  const leaf = parseCertificate(issueCertificate(undefined, { subject, names: extension("551d11", true, list) }).der);
  assert.ok(authority.ok && leaf.ok);
  assert.ok(authority.value.fields.nameConstraints !== undefined);
  const { fields } = leaf.value;
  return satisfiesNameConstraints(authority.value.fields.nameConstraints, {
    names: fields.names,
    subject: fields.subjectDer,
  });
}

const uri = (text: string): Subtrees => [[URI, text]];

describe("satisfiesNameConstraints", () => {
  const uris: readonly (readonly [constraint: string, uri: string, permits: boolean, excludes: boolean])[] = [
    ["td1.test", "spiffe://td1.test/a", true, true],
    ["td1.test", "spiffe://td1.test", true, true],
    ["TD1.Test", "spiffe://td1.test/a", true, true],
    ["td1.test", "spiffe://td2.test/a", false, false],
    ["td1.test", "spiffe://a.td1.test/a", false, false],
    ["td1.test", "spiffe://eviltd1.test/a", false, false],
    ["td1.test", "spiffe://td1.test.evil/a", false, false],
    [".td1.test", "spiffe://a.td1.test/a", true, true],
    [".td1.test", "spiffe://a.b.td1.test/a", true, true],
    [".td1.test", "spiffe://td1.test/a", false, false],
    [".td1.test", "spiffe://.td1.test/a", false, false],
    ["td1.test", "https://user@td1.test:8443/a?b#c", true, true],
    ["td1.test", "https://td1.test@evil.test/", false, false],
    ["td1.test", "https://evil.test/@td1.test", false, false],
    ["td1.test", "https://evil.test?td1.test", false, false],
    // Without a host that can be compared, a URI is neither inside nor outside: it is refused whatever the constraint says.
    ["td1.test", "urn:example:a", false, true],
    ["td1.test", "spiffe:///a", false, true],
    ["td1.test", "https://10.0.0.1/", false, true],
    ["td1.test", "https://[::1]/", false, true],
    // So is every URI when the constraint is none.
    ["", "spiffe://td1.test/a", false, true],
    [".", "spiffe://td1.test/a", false, true],
    ["spiffe://td1.test", "spiffe://td1.test/a", false, true],
    ["*.test", "spiffe://td1.test/a", false, true],
    ["td1.test\0", "spiffe://td1.test/a", false, true],
  ];
  for (const [constraint, name, permits, excludes] of uris) {
    it(`${JSON.stringify(constraint)} ${permits ? "permits" : "does not permit"} and ${excludes ? "excludes" : "does not exclude"} ${name}`, () => {
      assert.equal(holds(uri(name), uri(constraint)), permits);
      assert.equal(holds(uri(name), [], uri(constraint)), !excludes);
    });
  }

  it("lets what is excluded beat what is permitted", () => {
    const name = uri("spiffe://a.td1.test/x");
    assert.equal(holds(name, uri(".td1.test")), true);
    assert.equal(holds(name, uri(".td1.test"), uri("a.td1.test")), false);
    assert.equal(holds(name, uri(".td1.test"), uri("b.td1.test")), true);
  });

  it("gives up on more than 4096 comparisons", () => {
    const names = (count: number): Subtrees => Array.from({ length: count }, () => [DNS, "a.test"] as const);
    const permitted = Array.from({ length: 64 }, () => [DNS, "test"] as const);
    assert.equal(holds(names(64), permitted), true);
    assert.equal(holds(names(65), permitted), false);
  });

  it("permits what one of several constraints permits, and wants it of every name", () => {
    const permitted: Subtrees = [
      [URI, "td1.test"],
      [URI, "td2.test"],
    ];
    assert.equal(holds(uri("spiffe://td2.test/x"), permitted), true);
    assert.equal(holds([...uri("spiffe://td2.test/x"), ...uri("spiffe://td1.test/x")], permitted), true);
    assert.equal(holds([...uri("spiffe://td2.test/x"), ...uri("spiffe://td3.test/x")], permitted), false);
  });

  it("says nothing about names of a kind that it does not mention", () => {
    assert.equal(
      holds([[DNS, "evil.test"], [EMAIL, "a@evil.test"], ...uri("spiffe://td1.test/x")], uri("td1.test")),
      true,
    );
    assert.equal(holds(uri("spiffe://td9.test/x"), [[DNS, "td1.test"]]), true);
  });

  const dns: readonly (readonly [constraint: string, name: string, permits: boolean, excludes: boolean])[] = [
    ["pay.test", "pay.test", true, true],
    ["pay.test", "API.pay.test", true, true],
    [".pay.test", "api.pay.test", true, true],
    ["pay.test", "evilpay.test", false, false],
    ["api.pay.test", "pay.test", false, false],
    ["", "anything.test", true, true],
    ["pay.test", "*.pay.test", true, true],
    ["secret.pay.test", "*.pay.test", false, true],
    ["pay.test", "*.test", false, true],
    ["pay.test", "*", false, true],
    ["pay.test", "a b.test", false, true],
    ["pay test", "pay.test", false, true],
  ];
  for (const [constraint, name, permits, excludes] of dns) {
    it(`of DNS names, \`${constraint}\` ${permits ? "permits" : "does not permit"} and ${excludes ? "excludes" : "does not exclude"} ${name}`, () => {
      assert.equal(holds([[DNS, name]], [[DNS, constraint]]), permits);
      assert.equal(holds([[DNS, name]], [], [[DNS, constraint]]), !excludes);
    });
  }

  it("compares addresses under their mask, and refuses what is none", () => {
    const net = Buffer.of(10, 1, 0, 0, 255, 255, 0, 0);
    const [inside, outside] = [Buffer.of(10, 1, 2, 3), Buffer.of(10, 2, 2, 3)];
    const v6 = Buffer.concat([Buffer.of(0xfd), Buffer.alloc(15)]);
    const v6Net = Buffer.concat([v6, Buffer.of(0xff), Buffer.alloc(15)]);
    assert.equal(holds([[IP, inside]], [[IP, net]]), true);
    assert.equal(holds([[IP, outside]], [[IP, net]]), false);
    assert.equal(holds([[IP, outside]], [], [[IP, net]]), true);
    assert.equal(holds([[IP, inside]], [], [[IP, net]]), false);
    assert.equal(holds([[IP, v6]], [[IP, v6Net]]), true);
    assert.equal(holds([[IP, v6]], [[IP, net]]), false);
    assert.equal(holds([[IP, inside]], [[IP, net.subarray(1)]]), false);
    assert.equal(holds([[IP, inside]], [], [[IP, net.subarray(1)]]), false);
  });

  it("refuses names of the kinds that it cannot compare, and certificates without them pass", () => {
    const others: readonly (readonly [number, string | Buffer])[] = [
      [EMAIL, "pay.test"],
      [REGISTERED, Buffer.of(0x2a, 3)],
    ];
    for (const constraint of others) {
      const name: Subtrees = [[constraint[0], constraint[0] === EMAIL ? "a@pay.test" : Buffer.of(0x2a, 3)]];
      assert.equal(holds(name, [constraint]), false);
      assert.equal(holds(name, [], [constraint]), false);
      assert.equal(holds(uri("spiffe://td1.test/x"), [constraint]), true);
    }
  });

  it("applies constraints on directory names to the subject, those on mail to an address in it", () => {
    const directory: Subtrees = [[DIRECTORY, commonName("workload")]];
    assert.equal(holds(uri("spiffe://td1.test/x"), directory), false);
    assert.equal(holds(uri("spiffe://td1.test/x"), directory, [], ""), true);
    assert.equal(holds([...uri("spiffe://td1.test/x"), [DIRECTORY, commonName("x")]], directory, [], ""), false);
    const mail = sequence(element(0x31, sequence(oid("2a864886f70d010901"), element(0x16, Buffer.from("a@b.test")))));
    assert.equal(holds(uri("spiffe://td1.test/x"), [[EMAIL, "b.test"]], [], mail), false);
    assert.equal(holds(uri("spiffe://td1.test/x"), [[EMAIL, "b.test"]]), true);
  });
});
