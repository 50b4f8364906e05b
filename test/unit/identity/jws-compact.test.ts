import assert from "node:assert/strict";
import { it } from "node:test";
import { isSignedBy, parseCompactJws } from "../../../src/identity/jws-compact.ts";
import { createSigningKey, signToken } from "../../support/jwt-svid.ts";

const KEY = createSigningKey("ES256", "k1");
const OTHER = createSigningKey("ES256", "k1");

it("tells a verifier that cannot be loaded as a fault, never as a bad signature", async () => {
  const jws = parseCompactJws(signToken({ alg: "ES256", kid: "k1" }, { sub: "spiffe://td1.test/a" }, KEY));
  assert.ok(jws.ok);
  assert.equal(await isSignedBy(jws.value, KEY.publicKey), true);
  assert.equal(await isSignedBy(jws.value, OTHER.publicKey), false);
  const load = () => Promise.reject(new Error("no such module"));
  await assert.rejects(isSignedBy(jws.value, KEY.publicKey, load), /no such module/);
});
