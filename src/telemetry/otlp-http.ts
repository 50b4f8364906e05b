// Sends one OTLP/HTTP request and says what became of it. One connection, kept open; every wait and every answer is bounded.
// SPEC: OTLP 1.x, "OTLP/HTTP response": 429, 502, 503 and 504 may be tried again, other errors may not; a 200 can still say
// that some spans were rejected (partial success). Redirects are not followed.

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

/** What became of a batch. `retry`: nobody has it, but someone may take it later. */
export type SendOutcome =
  | { readonly kind: "taken"; readonly rejectedSpans: number }
  | { readonly kind: "refused"; readonly detail: string }
  | { readonly kind: "retry"; readonly detail: string };

/** A way to a collector. */
export interface OtlpSender {
  /** Never rejects. */
  send(body: string): Promise<SendOutcome>;
  /** Cuts what is under way and closes the connection. */
  close(): void;
}

const RETRYABLE = new Set([429, 502, 503, 504]);
const MAX_ANSWER_BYTES = 65_536;

/** Creates the sender for a collector's full URL; a whole exchange may take `timeoutMs`. */
export function createOtlpSender(endpoint: URL, timeoutMs: number): OtlpSender {
  const secure = endpoint.protocol === "https:";
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 });
  const abort = new AbortController();
  return {
    send: (body) => exchange(secure, endpoint, { agent, signal: abort.signal }, body, timeoutMs),
    close: () => {
      abort.abort();
      agent.destroy();
    },
  };
}

function exchange(
  secure: boolean,
  endpoint: URL,
  options: RequestOptions,
  body: string,
  timeoutMs: number,
): Promise<SendOutcome> {
  return new Promise((resolve) => {
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "user-agent": "svidgate",
    };
    const outgoing = (secure ? httpsRequest : httpRequest)(endpoint, { ...options, method: "POST", headers });
    // `timeout` of node:http is about idle sockets; a collector that trickles must not hold the batch either.
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const done = (outcome: SendOutcome): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    outgoing.once("error", (error) => done({ kind: "retry", detail: error.message || error.name }));
    outgoing.once("response", (answer) => {
      answer.once("error", (error) => done({ kind: "retry", detail: error.message || error.name }));
      readAnswer(answer, (text) => done(toOutcome(answer.statusCode ?? 0, text)));
    });
    outgoing.end(body);
  });
}

function readAnswer(answer: IncomingMessage, onText: (text: string | undefined) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  answer.on("data", (chunk: Buffer) => {
    size += chunk.length;
    // What is beyond is read and dropped, so that the connection can be used again.
    if (size <= MAX_ANSWER_BYTES) chunks.push(chunk);
  });
  answer.once("end", () => onText(size <= MAX_ANSWER_BYTES ? Buffer.concat(chunks).toString("utf8") : undefined));
}

function toOutcome(status: number, text: string | undefined): SendOutcome {
  if (status >= 200 && status < 300) return { kind: "taken", rejectedSpans: readRejected(text) };
  const detail = `the collector answered ${status}`;
  return RETRYABLE.has(status) ? { kind: "retry", detail } : { kind: "refused", detail };
}

/** `partialSuccess.rejectedSpans`, an int64: a number or decimal text. */
function readRejected(text: string | undefined): number {
  try {
    const answer = JSON.parse(text || "{}") as {
      readonly partialSuccess?: { readonly rejectedSpans?: unknown };
    } | null;
    const count = Number(answer?.partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(count) && count > 0 ? count : 0;
  } catch {
    // A collector may answer 200 with anything; the spans are taken.
    return 0;
  }
}
