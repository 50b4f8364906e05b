// The shipped examples in the real opa-envoy-plugin and here: the same requests get the same answers, headers and bodies.
// Skipped, with the reason, when `OPA_ENVOY_PLUGIN` names no binary.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { type DecodedHeader, decodeCheckResponse, encodeCheckRequest } from "../support/check-messages.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { activePolicy, inProcess } from "../support/in-process.ts";
import { pluginMissing, startPlugin } from "../support/opa-envoy-plugin.ts";

const CHECK = "/envoy.service.auth.v3.Authorization/Check";

const CALLERS = [
  "spiffe://example.org/ns/shop/sa/web",
  "spiffe://example.org/ns/shop/sa/refunds",
  "spiffe://example.org/ns/billing/sa/invoices",
  "spiffe://example.org/env/prod/ns/shop/sa/cart",
  "spiffe://example.org.evil/ns/shop/sa/web",
  "",
];
const SERVICES = ["spiffe://example.org/ns/shop/sa/orders", "spiffe://example.org/env/prod/ns/shop/sa/orders"];
const TARGETS: readonly (readonly [method: string, path: string, body?: string])[] = [
  ["GET", "/orders/7?limit=20"],
  ["GET", "/orders/export/2026"],
  ["DELETE", "/orders/7"],
  ["GET", "/orders/%2e%2e/admin"],
  ["GET", "//orders"],
  ["GET", "/orders-archive"],
  ["GET", "/health"],
  ["POST", "/transfers", '{"amount": 20.5, "currency": "EUR", "account": "DE0012345678"}'],
  ["POST", "/transfers", '{"amount": 2000, "currency": "GBP", "account": ""}'],
  ["POST", "/transfers", "[1]"],
  ["POST", "/transfers"],
];

const REQUESTS = CALLERS.flatMap((caller) =>
  SERVICES.flatMap((service) =>
    TARGETS.map(([method, path, body = ""]) => ({
      attributes: {
        source: { principal: caller },
        destination: { principal: service },
        request: {
          http: {
            method,
            path,
            body,
            headers: {
              ":method": method,
              ":path": path,
              "content-type": "application/json",
              "content-length": String(Buffer.byteLength(body)),
              authorization: "Bearer eyJhbGciOiJub25lIn0.e30.x",
            },
          },
        },
      },
    })),
  ),
);

const headers = (list: readonly DecodedHeader[] = []): string[] =>
  list.map(({ header }) => `${header.key}: ${header.value}`).sort();

/** What Envoy would do; ids and dynamic metadata are each program's own. */
function answerOf(bytes: Uint8Array): { readonly allowed: boolean } {
  const { status, denied_response: denied, ok_response: allowed } = decodeCheckResponse(bytes);
  return {
    allowed: (status?.code ?? 0) === 0,
    ...{ httpStatus: denied?.status?.code, body: bodyOf(denied?.body) },
    ...{
      headers: headers(denied?.headers ?? allowed?.headers),
      removed: [...(allowed?.headers_to_remove ?? [])].sort(),
    },
  };
}

/** `json.marshal` writes the members of an object in the order of OPA's WASM runtime: docs/policies.md. */
const bodyOf = (body = ""): unknown => (body.startsWith("{") ? JSON.parse(body) : body);

const POLICIES = join(packageRoot(), "policies");
const examples = readdirSync(POLICIES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "lib")
  .map(({ name }) => name);
const library = readdirSync(join(POLICIES, "lib")).filter((name) => /(?<!_test)\.rego$/.test(name));

describe("beside opa-envoy-plugin", { skip: pluginMissing() }, () => {
  for (const name of examples) {
    it(`policies/${name}: the same answers`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "svidgate-policy-"));
      for (const file of library) copyFileSync(join(POLICIES, "lib", file), join(folder, file));
      for (const file of ["policy.rego", "data.json"]) copyFileSync(join(POLICIES, name, file), join(folder, file));
      const ours = inProcess(await activePolicy([folder]));
      const plugin = await startPlugin(undefined, relative(join(packageRoot(), "test/vectors"), folder));
      const peer = createGrpcPeer(plugin.address);
      const answers = new Set<boolean>();
      try {
        for (const request of REQUESTS) {
          const bytes = encodeCheckRequest(request);
          const theirs = await peer.call(CHECK, bytes, { deadlineMs: 20_000 });
          const reply = ours.check(bytes);
          assert.ok("bytes" in theirs && reply.kind === "message", JSON.stringify(theirs));
          const answer = answerOf(reply.bytes);
          assert.deepEqual(answer, answerOf(theirs.bytes), JSON.stringify(request));
          answers.add(answer.allowed);
        }
      } finally {
        peer.close();
        await plugin.stop();
        rmSync(folder, { recursive: true });
      }
      assert.deepEqual(ours.faults, []);
      // Without a verified identity, which the plugin never has, these let nobody through.
      const wantsIdentity = ["attestation-level", "environment-isolation"].includes(name);
      assert.deepEqual([...answers].sort(), wantsIdentity ? [false] : [false, true]);
    });
  }
});
