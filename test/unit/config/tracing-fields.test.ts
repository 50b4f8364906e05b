import assert from "node:assert/strict";
import { it } from "node:test";
import { TRACING_FIELDS } from "../../../src/config/tracing-fields.ts";

const { parse } = TRACING_FIELDS.tracingEndpoint;

for (const [given, url] of [
  ["http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"],
  ["http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"],
  ["https://collector.example.org/otlp/v1/traces", "https://collector.example.org/otlp/v1/traces"],
  ["http://[::1]:4318", "http://[::1]:4318/v1/traces"],
] as const) {
  it(`sends spans for ${given} to ${url}`, () => assert.deepEqual(parse(given), { ok: true, value: url }));
}

for (const [given, why] of [
  ["", "expected a URL"],
  ["127.0.0.1:4318", "expected a URL"],
  ["localhost:4318", "expected a URL"],
  ["grpc://127.0.0.1:4317", "expected a URL"],
  ["file:///etc/passwd", "expected a URL"],
  ["http://user:secret@127.0.0.1:4318", "must not hold credentials"],
  ["http://127.0.0.1:4318/v1/traces?key=secret", "without query"],
  ["http://127.0.0.1:4318/#x", "without query"],
] as const) {
  it(`refuses \`${given}\` and does not repeat a secret`, () => {
    const parsed = parse(given);
    assert.ok(!parsed.ok && parsed.detail?.includes(why), JSON.stringify(parsed));
    assert.doesNotMatch(parsed.detail ?? "", /secret/);
  });
}
