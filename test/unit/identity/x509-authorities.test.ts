import assert from "node:assert/strict";
import { it } from "node:test";
import {
  toKnownAuthorities,
  toX509Authorities,
  toX509AuthoritiesSteps,
} from "../../../src/identity/x509-authorities.ts";
import { createKeys, issueAuthority, issueCertificate } from "../../support/signed-certificate.ts";

const root = issueAuthority(undefined, { subject: "root" });
const below = issueAuthority(root, { subject: "below" });
const leaf = issueCertificate(root, { uris: ["spiffe://example.org/web"] });
const keys = createKeys();
keys.publicKeyDer[keys.publicKeyDer.length - 1] = (keys.publicKeyDer.at(-1) ?? 0) ^ 1;
const unreadableKey = issueAuthority(undefined, { keys });

it("keeps authorities in their order, each once, self-signed or not", () => {
  const { authorities, ignored } = toX509Authorities([root.der, below.der, root.der]);
  assert.deepEqual(
    authorities.map(({ der }) => der),
    [root.der, below.der],
  );
  assert.deepEqual(ignored, []);
});

it("leaves out what may not sign or cannot be read, with the place and the reason", () => {
  const withTail = Buffer.concat([root.der, Buffer.of(0)]);
  const noUsage = issueAuthority(undefined, { keyUsage: undefined });
  const ders = [leaf.der, noUsage.der, unreadableKey.der, withTail, Buffer.alloc(0), Buffer.from("x"), below.der];
  const { authorities, ignored } = toX509Authorities(ders);
  assert.deepEqual(
    authorities.map(({ der }) => der),
    [below.der],
  );
  const reasons = [
    /^certificate 1: the certificate is no authority/,
    /^certificate 2: .*keyCertSign/,
    /^certificate 3: .*public key is unreadable/,
    /^certificate 4: unreadable/,
    /^certificate 5: unreadable/,
    /^certificate 6: unreadable/,
  ];
  assert.equal(ignored.length, reasons.length);
  for (const [index, reason] of reasons.entries()) assert.match(ignored[index] ?? "", reason);
});

it("gives nothing for nothing", () => {
  assert.deepEqual(toX509Authorities([]), { authorities: [], ignored: [] });
});

it("reads what it knows no second time, and takes nothing else from what it knows", () => {
  const first = toX509Authorities([root.der, below.der]);
  const again = toX509Authorities([Buffer.from(below.der), leaf.der], toKnownAuthorities(first.authorities));
  assert.equal(again.authorities.length, 1);
  assert.equal(again.authorities[0], first.authorities[1], "the very same object");
  assert.equal(again.ignored.length, 1);
});

it("pauses after each certificate, readable or not", () => {
  const steps = toX509AuthoritiesSteps([root.der, Buffer.from("x"), below.der], new Map());
  let pauses = 0;
  let step = steps.next();
  for (; !step.done; step = steps.next()) pauses++;
  assert.equal(pauses, 3);
  assert.deepEqual([step.value.authorities.length, step.value.ignored.length], [2, 1]);
});
