import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { loadProto } from "../../../src/base/grpc.ts";
import {
  parseHealthCheckRequest,
  printHealthCheckResponse,
  printHealthListResponse,
  SERVING_STATUS,
  type ServingStatus,
} from "../../../src/server/health-messages.ts";

interface Method {
  requestSerialize(value: object): Buffer;
  responseDeserialize(bytes: Buffer): unknown;
}
const definition = await loadProto("grpc/health/v1/health.proto");
const service = definition["grpc.health.v1.Health"] as unknown as Record<"Check" | "Watch" | "List", Method>;

describe("health messages", () => {
  it("reads what the proto library writes", () => {
    for (const name of ["", "ready", "envoy.service.auth.v3.Authorization", "ü\u{1f600}", "a".repeat(1024)]) {
      assert.deepEqual(parseHealthCheckRequest(service.Check.requestSerialize({ service: name })), {
        ok: true,
        value: name,
      });
    }
  });

  it("writes what the proto library reads", () => {
    const names: [ServingStatus, string][] = [
      [1, "SERVING"],
      [2, "NOT_SERVING"],
      [3, "SERVICE_UNKNOWN"],
    ];
    for (const [code, name] of names) {
      assert.deepEqual(service.Check.responseDeserialize(printHealthCheckResponse(code)), { status: name });
      assert.deepEqual(service.Watch.responseDeserialize(printHealthCheckResponse(code)), { status: name });
    }
    const list = new Map<string, ServingStatus>([
      ["", SERVING_STATUS.serving],
      ["ready", SERVING_STATUS.notServing],
    ]);
    assert.deepEqual(service.List.responseDeserialize(printHealthListResponse(list)), {
      statuses: { "": { status: "SERVING" }, ready: { status: "NOT_SERVING" } },
    });
  });

  it("skips fields that it does not know, and the last service counts", () => {
    const bytes = Buffer.from(
      "1001 0a0161 1d01020304 19 0102030405060708 220401020304 0a0162".replaceAll(" ", ""),
      "hex",
    );
    assert.deepEqual(parseHealthCheckRequest(bytes), { ok: true, value: "b" });
  });

  for (const [why, hex] of [
    ["a length beyond the end", "0a0261"],
    ["a huge length", "0affffffffffffffffff01"],
    ["a tag that never ends", "ffffffffffffffffffffff"],
    ["field number 0", "0200"],
    ["a group", "0b0c"],
    ["wire type 7", "0f"],
    ["a varint cut off", "10ff"],
    ["a fixed64 cut off", "1901"],
    ["a fixed32 cut off", "1d01"],
    ["a name that is not UTF-8", "0a02c328"],
    ["a name of 1025 bytes", `0a8108${"61".repeat(1025)}`],
  ] as const) {
    it(`refuses ${why}`, () => {
      const got = parseHealthCheckRequest(Buffer.from(hex, "hex"));
      assert.equal(got.ok ? "ok" : got.code, "health_request_unreadable");
    });
  }

  it("answers any bytes with a name or a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const got = parseHealthCheckRequest(bytes);
        return got.ok ? typeof got.value === "string" : got.code === "health_request_unreadable";
      }),
      { seed: 3, numRuns: 2000 },
    );
  });
});
