// Spans and trace ids as collectors and auditors meet them: a real `svidgate serve` and a collector that works, fails, or hangs.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { encodeCheckRequest } from "../support/check-messages.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { startOtlpReceiver, toAttributes } from "../support/otlp-receiver.ts";
import { type Serving, startServing } from "../support/serve-process.ts";

const CHECK = "/envoy.service.auth.v3.Authorization/Check";
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const ENVOY = `00-${TRACE}-b7ad6b7169203331-01`;
const folder = mkdtempSync(join(tmpdir(), "svidgate-tracing-"));
after(() => rmSync(folder, { recursive: true }));
const policy = join(folder, "policy.rego");
writeFileSync(
  policy,
  'package envoy.authz\ndefault allow := false\nallow if input.parsed_path == ["ok"]\nallow := 7 if input.parsed_path == ["bad"]',
);

interface Ask {
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly metadata?: Record<string, string>;
}

async function ask(serving: Serving, asks: readonly Ask[]): Promise<void> {
  const peer = createGrpcPeer(serving.address);
  for (const { path, headers = {}, metadata = {} } of asks) {
    const bytes = encodeCheckRequest({ attributes: { request: { http: { method: "GET", path, headers } } } });
    assert.ok("bytes" in (await peer.call(CHECK, bytes, { metadata })));
  }
  peer.close();
}

const metric = async (serving: Serving, name: string): Promise<number> => {
  const text = await (await fetch(`${serving.admin}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.split(" ")
      .at(-1),
  );
};

it("gives the collector a span per sampled decision, child of Envoy's span, with the audit event's ids", async () => {
  const receiver = await startOtlpReceiver();
  const audit = join(folder, "audit.jsonl");
  const set = [
    "--set",
    `svidgate.tracing.otlp_endpoint=${receiver.url}`,
    "--set",
    "svidgate.tracing.service_name=edge",
  ];
  const serving = await startServing(["--policy", policy, "--audit", `file:${audit}`, ...set]);
  await ask(serving, [
    { path: "/ok", headers: { traceparent: CLIENT }, metadata: { traceparent: ENVOY } },
    { path: "/no", headers: { "x-b3-traceid": TRACE, "x-b3-spanid": "00f067aa0ba902b7", "x-b3-sampled": "1" } },
    { path: "/bad", metadata: { b3: `${TRACE}-b7ad6b7169203331-1` } },
    { path: "/ok", headers: { traceparent: CLIENT.replace(/01$/, "00") } },
    { path: "/ok", headers: { traceparent: "00-zz" } },
    { path: "/ok" },
  ]);
  const { code } = await serving.stop();
  await receiver.close();
  assert.equal(code, 0);

  const [request] = receiver.requests;
  assert.deepEqual([request?.path, request?.type], ["/v1/traces", "application/json"]);
  const resource = toAttributes(request?.body.resourceSpans[0]?.resource.attributes ?? []);
  const events = readFileSync(audit, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(resource["service.name"], "edge");
  assert.equal(resource["service.instance.id"], events[0]?.["pdp_id"]);

  const spans = receiver.spans();
  assert.deepEqual(
    spans.map(({ traceId, parentSpanId, status, attributes }) => {
      const { "svidgate.outcome": outcome, "svidgate.reason": reason } = toAttributes(attributes);
      return [traceId, parentSpanId, outcome, reason, status?.code];
    }),
    [
      [TRACE, "b7ad6b7169203331", "allow", "policy_allowed", undefined],
      [TRACE, "00f067aa0ba902b7", "deny", "policy_denied", undefined],
      [TRACE, "b7ad6b7169203331", "error", "policy_result_type", 2],
    ],
  );
  assert.deepEqual(
    spans.map(({ attributes }) => toAttributes(attributes)["svidgate.decision_id"]),
    events.slice(0, 3).map((event) => event["decision_id"]),
  );
  assert.deepEqual(
    events.map((event) => [event["trace_id"], event["span_id"], event["trace_sampled"]]),
    [
      [TRACE, "b7ad6b7169203331", true],
      [TRACE, "00f067aa0ba902b7", true],
      [TRACE, "b7ad6b7169203331", true],
      [TRACE, "00f067aa0ba902b7", false],
      [undefined, undefined, undefined],
      [undefined, undefined, undefined],
    ],
  );
});

it("loses spans and nothing else when the collector hangs, and counts them", async () => {
  const receiver = await startOtlpReceiver(() => undefined);
  const audit = join(folder, "audit-hang.jsonl");
  const set = ["--set", `svidgate.tracing.otlp_endpoint=${receiver.url}/`, "--set", "svidgate.tracing.sample=all"];
  const serving = await startServing(["--policy", policy, "--audit", `file:${audit}`, ...set]);
  await ask(
    serving,
    Array.from({ length: 20 }, () => ({ path: "/ok" })),
  );
  await receiver.received(1);
  assert.equal(await metric(serving, "svidgate_spans_exported_total"), 0);
  const { code } = await serving.stop();
  await receiver.close();
  assert.equal(code, 0);
  assert.equal(readFileSync(audit, "utf8").trim().split("\n").length, 20);
});

it("says once in the log that a collector refuses, and counts every span of it", async () => {
  const receiver = await startOtlpReceiver((reply) => void reply.writeHead(400).end());
  const set = [
    "--set",
    `svidgate.tracing.otlp_endpoint=${receiver.url}`,
    "--set",
    "svidgate.tracing.sample=parent_or_denied",
  ];
  const serving = await startServing(["--policy", policy, "--audit", "none", ...set]);
  await ask(serving, [{ path: "/no" }, { path: "/ok" }, { path: "/no" }]);
  await serving.logged("spans do not reach the collector");
  assert.equal(await metric(serving, 'svidgate_spans_lost_total{cause="refused"}'), 2);
  const { err } = await serving.stop();
  await receiver.close();
  assert.match(err, /"cause":"refused","detail":"the collector answered 400"/);
});
