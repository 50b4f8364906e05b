// One HTTP exchange over a socket: request out, answer in, read whole and bounded. HTTP/1.1; `gzip` is asked for and undone,
// as Go's transport does. Redirects and retries are above this.

import { type ClientRequest, type Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { type Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { fromLatin1 } from "../../value.ts";
import { HttpFailure } from "./failure.ts";
import type { HeaderList } from "./request.ts";
import type { HttpAnswer } from "./response.ts";
import type { Target } from "./target.ts";
import type { TlsMaterial } from "./tls-material.ts";

/** Connections that are kept, and what an answer may weigh. */
export interface ExchangePorts {
  readonly agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  readonly maxResponseBytes: number;
}

/** One request of one hop. */
export interface Hop {
  readonly method: string;
  readonly target: Target;
  readonly headers: HeaderList;
  readonly hostHeader: string;
  readonly body: Buffer | undefined;
  readonly tls: TlsMaterial;
}

const MAX_HEADER_BYTES = 64 * 1024;
/** Methods that may be sent again when a kept connection turns out to be closed. */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** An answer whose body has not been read. */
export interface OpenAnswer {
  readonly statusCode: number;
  readonly location: string | undefined;
  /** Rejects with the stream's error, or HttpFailure `too_large`. */
  read(): Promise<HttpAnswer>;
  /** Lets go of it unread. */
  discard(): void;
}

/** Sends; resolves with the answer's head. Rejects with Node's error. */
export async function exchange(hop: Hop, ports: ExchangePorts, signal: AbortSignal): Promise<OpenAnswer> {
  const wantsGzip =
    hop.method !== "HEAD" && !hop.headers.some(([name]) => name === "Accept-Encoding" || name === "Range");
  for (;;) {
    const { request, answered } = send(hop, wantsGzip, ports, signal);
    try {
      return toOpenAnswer(await answered, hop.method, wantsGzip, ports.maxResponseBytes);
    } catch (error) {
      // A kept connection that the server had closed: nothing of this request was seen by anybody.
      const { code } = error as { code?: unknown };
      const isStale = request.reusedSocket && (code === "ECONNRESET" || code === "EPIPE");
      if (!isStale || !IDEMPOTENT.has(hop.method) || signal.aborted) throw error;
    }
  }
}

function send(
  { method, target, headers, hostHeader, body, tls }: Hop,
  wantsGzip: boolean,
  { agents }: ExchangePorts,
  signal: AbortSignal,
): { readonly request: ClientRequest; readonly answered: Promise<IncomingMessage> } {
  const written: [string, string][] = [
    ["Host", hostHeader],
    ...headers.map(([name, value]): [string, string] => [name, value]),
  ];
  if (body !== undefined && body.length > 0) written.push(["Content-Length", String(body.length)]);
  else if (method === "POST" || method === "PUT" || method === "PATCH") written.push(["Content-Length", "0"]);
  if (wantsGzip) written.push(["Accept-Encoding", "gzip"]);
  const options = {
    method,
    host: target.host,
    port: target.port,
    path: target.requestUri,
    headers: Object.fromEntries(written),
    maxHeaderSize: MAX_HEADER_BYTES,
    signal,
    ...(target.socketPath !== undefined && { socketPath: target.socketPath }),
  };
  const request =
    target.scheme === "https"
      ? httpsRequest({ ...options, ...tls, agent: agents.https })
      : httpRequest({ ...options, agent: agents.http });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.on("error", reject);
    request.once("upgrade", (_answer, socket) => {
      socket.destroy();
      reject(new HttpFailure("invalid", "the server wants another protocol, which is not supported"));
    });
  });
  request.end(body);
  return { request, answered };
}

function toOpenAnswer(message: IncomingMessage, method: string, wantsGzip: boolean, maxBytes: number): OpenAnswer {
  const { statusCode = 0, statusMessage = "" } = message;
  const headers = readHeaders(message.rawHeaders);
  const isGzip = wantsGzip && /^gzip$/i.test(headers.get("content-encoding")?.[0] ?? "");
  if (isGzip) {
    headers.delete("content-encoding");
    headers.delete("content-length");
  }
  // A body that nobody reads keeps its connection: an error of it is nobody's.
  message.on("error", () => undefined);
  return {
    statusCode,
    location: headers.get("location")?.[0],
    discard: () => message.destroy(),
    read: async () => ({
      status: `${statusCode} ${fromLatin1(statusMessage)}`,
      statusCode,
      headers,
      body: await readBody(message, isGzip && method !== "HEAD", maxBytes),
    }),
  };
}

/** By lower-case name. SPEC: Go's client takes the framing away, and lets `Pragma: no-cache` speak for `Cache-Control`. */
function readHeaders(raw: readonly string[]): Map<string, readonly string[]> {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? "").toLowerCase();
    const value = fromLatin1(raw[at + 1] ?? "");
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [value]);
    else values.push(value);
  }
  headers.delete("transfer-encoding");
  headers.delete("trailer");
  if (headers.get("pragma")?.[0] === "no-cache" && !headers.has("cache-control"))
    headers.set("cache-control", ["no-cache"]);
  return headers;
}

async function readBody(message: IncomingMessage, isGzip: boolean, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  let packed = 0;
  let stream: Readable = message;
  if (isGzip) {
    const gunzip = createGunzip();
    message.once("error", (error) => gunzip.destroy(error));
    message.on("data", (chunk: Buffer) => {
      packed += chunk.length;
    });
    stream = message.pipe(gunzip);
  }
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length;
      // SECURITY: what is counted is what is unpacked, so a small answer cannot become a large one.
      if (length > maxBytes) throw new HttpFailure("too_large", `the answer is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    // SPEC: an answer without a body has nothing to unpack.
    if (isGzip && packed === 0 && !(error instanceof HttpFailure) && message.complete) return Buffer.alloc(0);
    message.destroy();
    throw error;
  }
  return Buffer.concat(chunks, length);
}
