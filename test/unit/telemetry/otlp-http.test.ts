import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { createServer } from "node:net";
import { after, describe, it } from "node:test";
import { createOtlpSender, type SendOutcome } from "../../../src/telemetry/otlp-http.ts";
import { startOtlpReceiver } from "../../support/otlp-receiver.ts";

const BODY = '{"resourceSpans":[]}';

async function sendTo(answer: (reply: ServerResponse) => void, timeoutMs = 10_000): Promise<SendOutcome> {
  const receiver = await startOtlpReceiver(answer);
  const sender = createOtlpSender(new URL("/v1/traces", receiver.url), timeoutMs);
  try {
    return await sender.send(BODY);
  } finally {
    sender.close();
    await receiver.close();
  }
}

describe("an answer", () => {
  const table: readonly (readonly [string, number, string, SendOutcome])[] = [
    ["of 200 takes the spans", 200, "{}", { kind: "taken", rejectedSpans: 0 }],
    ["of 200 without a body takes them too", 200, "", { kind: "taken", rejectedSpans: 0 }],
    ["of 202 takes them too", 202, "", { kind: "taken", rejectedSpans: 0 }],
    ["may reject some", 200, '{"partialSuccess":{"rejectedSpans":"3"}}', { kind: "taken", rejectedSpans: 3 }],
    [
      "may reject some, as a number",
      200,
      '{"partialSuccess":{"rejectedSpans":2}}',
      { kind: "taken", rejectedSpans: 2 },
    ],
    ["may be no JSON", 200, "<html>", { kind: "taken", rejectedSpans: 0 }],
    ["may be null", 200, "null", { kind: "taken", rejectedSpans: 0 }],
    ["may hold nonsense", 200, '{"partialSuccess":{"rejectedSpans":-1}}', { kind: "taken", rejectedSpans: 0 }],
    ["may be huge", 200, " ".repeat(1_000_000), { kind: "taken", rejectedSpans: 0 }],
    ["of 400 is final", 400, "{}", { kind: "refused", detail: "the collector answered 400" }],
    ["of 500 is final", 500, "{}", { kind: "refused", detail: "the collector answered 500" }],
    ["of 307 is not followed", 307, "", { kind: "refused", detail: "the collector answered 307" }],
    ...[429, 502, 503, 504].map(
      (status) =>
        [
          `of ${status} may be tried again`,
          status,
          "",
          { kind: "retry", detail: `the collector answered ${status}` },
        ] as const,
    ),
  ];
  for (const [name, status, text, want] of table) {
    it(name, async () => {
      const got = await sendTo((reply) => void reply.writeHead(status, { location: "http://127.0.0.1:1/" }).end(text));
      assert.deepEqual(got, want);
    });
  }
  it("that never comes ends with the time", async () => {
    assert.deepEqual(await sendTo(() => undefined, 50), { kind: "retry", detail: "no answer within 50 ms" });
  });
  it("that begins and never ends does too", async () => {
    const outcome = await sendTo((reply) => void reply.writeHead(200).write("{"), 50);
    assert.equal(outcome.kind, "retry");
  });
  it("that breaks off may be tried again", async () => {
    assert.equal((await sendTo((reply) => void reply.destroy())).kind, "retry");
    const half = (reply: ServerResponse): void => {
      reply.writeHead(200, { "content-length": 100 });
      reply.write("{", () => reply.destroy());
    };
    assert.equal((await sendTo(half)).kind, "retry");
  });
});

describe("a collector", () => {
  it("gets JSON at the path of its URL, on one connection", async () => {
    const receiver = await startOtlpReceiver();
    const sender = createOtlpSender(new URL("/otlp/v1/traces", receiver.url), 10_000);
    after(async () => {
      sender.close();
      await receiver.close();
    });
    for (let i = 0; i < 3; i++) assert.equal((await sender.send(BODY)).kind, "taken");
    assert.deepEqual(
      receiver.requests.map(({ path, type, body }) => ({ path, type, body })),
      Array.from({ length: 3 }, () => ({
        path: "/otlp/v1/traces",
        type: "application/json",
        body: { resourceSpans: [] },
      })),
    );
  });
  it("that is not there may come back", async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => free.close(resolve));
    const sender = createOtlpSender(new URL(`http://127.0.0.1:${port}/v1/traces`), 10_000);
    const outcome = await sender.send(BODY);
    sender.close();
    assert.ok(outcome.kind === "retry" && outcome.detail.includes("ECONNREFUSED"), JSON.stringify(outcome));
  });
  it("loses what is under way when the sender closes", async () => {
    const receiver = await startOtlpReceiver(() => undefined);
    const sender = createOtlpSender(new URL("/v1/traces", receiver.url), 10_000);
    const sending = sender.send(BODY);
    await receiver.received(1);
    sender.close();
    assert.equal((await sending).kind, "retry");
    await receiver.close();
  });
});
