// A collector for tests: an HTTP server that takes OTLP/HTTP JSON, or misbehaves as told.

import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One span as it arrived. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly flags: number;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly status?: { readonly code: number; readonly message: string };
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: ReceivedSpan["attributes"] };
    readonly scopeSpans: readonly { readonly spans: readonly ReceivedSpan[] }[];
  }[];
}

/** The attributes as an object. */
export const toAttributes = (list: ReceivedSpan["attributes"]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));

/** A running collector. */
export interface OtlpReceiver {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly requests: { readonly path: string; readonly type: string | undefined; readonly body: ExportRequest }[];
  spans(): readonly ReceivedSpan[];
  /** Resolves when this many requests have come. */
  received(requests: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts it; `answer` replies to each request, with an empty object and 200 unless given. */
export async function startOtlpReceiver(
  answer: (reply: ServerResponse, request: number) => void = (reply) =>
    void reply.writeHead(200, { "content-type": "application/json" }).end("{}"),
): Promise<OtlpReceiver> {
  const requests: { path: string; type: string | undefined; body: ExportRequest }[] = [];
  let wake = (): void => undefined;
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.once("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as ExportRequest;
      requests.push({ path: request.url ?? "", type: request.headers["content-type"], body });
      answer(reply, requests.length);
      wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spans: () =>
      requests.flatMap(({ body }) =>
        body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
      ),
    received: async (count) => {
      while (requests.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
