import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { toAuditHost, toAuditPath } from "../../../src/audit/request-line.ts";

const paths = [
  ["a plain path", "/v1/orders", "/v1/orders"],
  ["a query", "/v1/orders?access_token=secret", "/v1/orders"],
  ["a fragment", "/v1/orders#access_token=secret", "/v1/orders"],
  ["a query within a fragment", "/a#b?c", "/a"],
  ["a second question mark", "/a?b?c", "/a"],
  ["nothing but a query", "?a=secret", ""],
  ["segment parameters", "/a;jsessionid=secret/b;v=1;w=2/c", "/a;-/b;-/c"],
  ["a parameter before a climb, which stays visible", "/public;x/../admin", "/public;-/../admin"],
  [
    "encoded separators, which a caller could use to hide the rest",
    "/public%3f/../admin%3bx",
    "/public%3f/../admin%3bx",
  ],
  ["empty", "", ""],
] as const;
for (const [name, raw, want] of paths) it(`path: ${name}`, () => assert.equal(toAuditPath(raw), want));

const hosts = [
  ["a plain host", "orders:8080", "orders:8080"],
  ["user information", "alice:secret@orders:8080", "orders:8080"],
  ["two at signs", "alice@secret@orders", "orders"],
  ["empty", "", ""],
] as const;
for (const [name, raw, want] of hosts) it(`host: ${name}`, () => assert.equal(toAuditHost(raw), want));

it("no part of a query, fragment, parameter or user information is ever kept", () => {
  const secret = "S3CR3T";
  fc.assert(
    fc.property(fc.string(), fc.constantFrom("?", "#", ";"), fc.string(), (before, separator, between) => {
      const tail = between.replaceAll("/", "");
      assert.ok(!toAuditPath(`${before}${separator}${tail}${secret}`).includes(secret));
      assert.ok(!toAuditHost(`${before}${secret}${between}@host`).includes(secret));
    }),
    { seed: 1, numRuns: 500 },
  );
});
