// Identity on its way through a decision: refused before the policy, shown to it, told in answer and audit event.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, it } from "node:test";
import { toDecisionFacts } from "../../../src/authz/audit-record.ts";
import type { CheckReply } from "../../../src/authz/check-handler.ts";
import { encodeCheckRequest } from "../../../src/authz/check-request-json.ts";
import { createResponseWriter } from "../../../src/authz/response.ts";
import { packageRoot } from "../../../src/base/package-root.ts";
import { createResolver } from "../../../src/identity/resolve.ts";
import type { ActivePolicy } from "../../../src/policy/active-policy.ts";
import { decodeCheckResponse } from "../../support/check-messages.ts";
import { activePolicy, type InProcess, inProcess } from "../../support/in-process.ts";
import { toEnvoyText } from "../../support/signed-certificate.ts";
import { createTrustWorld, type WorldOptions } from "../../support/trust-world.ts";

const VECTORS = join(packageRoot(), "test", "vectors");
const world = createTrustWorld();
const API = "spiffe://td1.test/ns/payments/sa/api";
const api = toEnvoyText(world.svid(world.td1, "/ns/payments/sa/api").der);
const token = world.token(world.td1, "/ns/payments/sa/api");
let allowing: ActivePolicy;
let echoing: ActivePolicy;
before(async () => {
  allowing = await activePolicy([join(VECTORS, "decisions.rego")]);
  echoing = await activePolicy([join(VECTORS, "echo.rego")]);
});

const open = (policy: ActivePolicy, options: WorldOptions = {}, response = {}): InProcess =>
  inProcess(policy, response, { resolve: createResolver(world.parts(options)) }, world.clock);

function request(certificate: string, headers: Readonly<Record<string, string>> = {}, path = "/x/true"): Uint8Array {
  const encoded = encodeCheckRequest({
    attributes: { source: { certificate }, request: { http: { method: "GET", path, headers } } },
  });
  assert.ok(encoded.ok);
  return encoded.value;
}

const message = (reply: CheckReply) => {
  assert.equal(reply.kind, "message");
  return decodeCheckResponse(reply.kind === "message" ? reply.bytes : new Uint8Array());
};

for (const onError of ["deny", "error_response", "grpc_error"] as const) {
  it(`denies a credential that proves nothing with 401 under on_error: ${onError}, without asking the policy`, () => {
    const silent: ActivePolicy = { ...allowing, evaluate: () => assert.fail("the policy was asked") };
    const { status, denied_response } = message(open(silent, {}, { onError }).check(request("x")));
    assert.deepEqual([status?.code, denied_response?.status?.code], [16, 401]);
  });
}

it("challenges for a token, and for nothing else", async () => {
  const headersOf = async (bytes: Uint8Array) =>
    message(await open(allowing).checkAsync(bytes)).denied_response?.headers?.map(({ header }) => [
      header?.key,
      header?.value,
    ]);
  assert.deepEqual(await headersOf(request("", { authorization: `Bearer ${token.slice(0, -4)}AAAA` })), [
    ["www-authenticate", 'Bearer error="invalid_token"'],
  ]);
  assert.deepEqual((await headersOf(request("x"))) ?? [], []);
});

it("shows the policy who calls", () => {
  const body = message(open(echoing).check(request(api))).denied_response?.body ?? "";
  const { identity } = JSON.parse(body) as { identity: { spiffe_id: string; verified_by: string } };
  assert.deepEqual([identity.spiffe_id, identity.verified_by], [API, "pdp"]);
});

it("decides a token's first sight later and the next at once, alike", async () => {
  const here = open(allowing);
  const bytes = request("", { authorization: `Bearer ${world.token(world.td1, "/first")}` });
  const first = message(await here.checkAsync(bytes));
  const second = message(here.check(bytes));
  assert.deepEqual([first.status?.code ?? 0, second.status?.code ?? 0], [0, 0]);
  assert.equal(here.records.length, 2);
});

it("takes a stripped token's header away from every request that passes, and from no answer that does not", async () => {
  const strip = { tokens: { strip: true } };
  const headers = { authorization: `Bearer ${token}` };
  const removed = async (path: string, response = {}) =>
    message(await open(allowing, strip, response).checkAsync(request("", headers, path))).ok_response
      ?.headers_to_remove ?? [];
  assert.deepEqual(await removed("/x/true"), ["authorization"]);
  assert.deepEqual(await removed("/x/false"), []);
  assert.deepEqual(await removed("/x/false", { dryRun: true }), ["authorization"]);
});

it("takes a stripped token out of `authorization` too, where it stands besides its configured header", async () => {
  const strip = { tokens: { strip: true, places: { header: "x-svid" } } };
  const removed = async (headers: Readonly<Record<string, string>>) =>
    message(await open(allowing, strip).checkAsync(request("", headers, "/x/true"))).ok_response?.headers_to_remove;
  assert.deepEqual(await removed({ "x-svid": token, authorization: `Bearer ${token}` }), ["x-svid", "authorization"]);
  assert.deepEqual(await removed({ "x-svid": token, authorization: "Basic YTpi" }), ["x-svid"]);
  assert.deepEqual(await removed({ "x-svid": token }), ["x-svid"]);
});

it("takes the token away in a dry run too, which lets pass whose token was not accepted", async () => {
  const bad = `Bearer ${token.slice(0, -4)}AAAA`;
  const rows = [
    [allowing, bad],
    [allowing, `Bearer ${token}, Bearer ${token}`],
    [{ ...allowing, evaluate: () => assert.fail("broken") }, `Bearer ${token}`],
  ] as const;
  for (const [policy, authorization] of rows) {
    const here = open(policy, { tokens: { strip: true } }, { dryRun: true });
    const reply = message(await here.checkAsync(request("", { authorization })));
    assert.deepEqual([reply.status?.code ?? 0, reply.ok_response?.headers_to_remove], [0, ["authorization"]]);
    assert.notEqual(here.records[0]?.decision.reason, "policy_allowed");
  }
  const writer = createResponseWriter({ onError: "deny", dryRun: true });
  let writes = 0;
  const failing: typeof writer = {
    ...writer,
    write: (...told) => (writes++ === 0 ? assert.fail("broken") : writer.write(...told)),
  };
  const resolve = createResolver(world.parts({ tokens: { strip: true } }));
  const here = inProcess(allowing, {}, { resolve, responses: failing }, world.clock);
  const reply = message(await here.checkAsync(request("", { authorization: `Bearer ${token}` })));
  assert.deepEqual(reply.ok_response?.headers_to_remove, ["authorization"]);
});

it("tells the audit event who called, by whose word, with which credential", () => {
  const here = open(allowing);
  here.check(request(api));
  const [record] = here.records;
  assert.ok(record !== undefined);
  const facts = toDecisionFacts(record, { dryRun: false, errorsAreGrpcStatus: false });
  assert.deepEqual(
    [facts.subject, facts.verifiedBy, facts.identitySource, facts.credential?.type, facts.credential?.bundleGeneration],
    [API, "pdp", "certificate", "x509-svid", 1],
  );
  assert.equal(facts.identityDetail, undefined);
});

it("tells the audit event why an identity was refused, and never what was presented", () => {
  const here = open(allowing);
  here.check(request("", { authorization: `Bearer ${token}, Bearer ${token}` }));
  const [record] = here.records;
  assert.ok(record !== undefined);
  const facts = toDecisionFacts(record, { dryRun: false, errorsAreGrpcStatus: false });
  assert.deepEqual(
    [facts.reason, facts.subject, facts.verifiedBy, facts.identitySource],
    ["jwt_several", undefined, "none", "token"],
  );
  assert.doesNotMatch(JSON.stringify(facts), new RegExp(token.slice(0, 20)));
});

it("answers a fault of the resolution itself as internal, at once or later", async () => {
  const failing = [
    () => {
      throw new Error("broken");
    },
    () => Promise.reject(new Error("broken later")),
  ];
  for (const resolve of failing) {
    const here = inProcess(allowing, { onError: "deny" }, { resolve });
    assert.equal(message(await here.checkAsync(request(api))).status?.code, 13);
    assert.equal(here.records[0]?.decision.reason, "internal");
    assert.equal(here.faults.length, 1);
  }
});

it("does not evaluate for a caller that has gone while its token was verified", async () => {
  const silent: ActivePolicy = { ...allowing, evaluate: () => assert.fail("evaluated for nobody") };
  const here = open(silent);
  let gone = false;
  const reply = here.checkAsync(request("", { authorization: `Bearer ${world.token(world.td1, "/gone")}` }), {
    cancelled: () => gone,
  });
  gone = true;
  await reply;
  assert.equal(here.records[0]?.decision.reason, "cancelled");
});
