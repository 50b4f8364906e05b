// GET of a bundle document: one answer of status 200 and bounded size, after at most three redirects.
// SPEC: SPIFFE Federation §5.2.1.1 and §5.2.2.1 (https only, no userinfo), §5.2.1.4 and §5.2.2.4 (where a redirect leads has to
// prove the same as the first server).
// SECURITY: a redirect holds for one request and is never remembered, or who once held the endpoint would hold it for ever.

import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { TLSSocket } from "node:tls";
import { fail, ok, type Result } from "../../base/result.ts";
import { MAX_BUNDLE_BYTES } from "../trust-bundle.ts";
import { connectToEndpoint, type ServerProof } from "./endpoint-connection.ts";

/** One GET with all its redirects. */
export interface EndpointRequest {
  readonly url: string;
  readonly proof: ServerProof;
  readonly nowUnixMs: number;
  /** Ends it at once. */
  readonly cancelled: AbortSignal;
}

type Code = "url" | "unreachable" | "unproven" | "status" | "redirect" | "body";

const MAX_REDIRECTS = 3;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** The document's bytes; else a detail that says what is wrong, for people. */
export async function getBundleDocument(asked: EndpointRequest): Promise<Result<Buffer, Code>> {
  let url = parseEndpointUrl(asked.url);
  if (url === undefined) return fail("url", "the URL must begin with https:// and hold no user name");
  for (let redirects = 0; ; redirects++) {
    const connected = await connectToEndpoint({ ...asked, url });
    const where = redirects === 0 ? "" : `redirected to ${url.host}: `;
    if (!connected.ok) return fail(connected.code, `${where}${connected.detail}`);
    const answered = await get(url, connected.value, asked.cancelled);
    if (!answered.ok) return fail(answered.code, `${where}${answered.detail}`);
    if ("document" in answered.value) return ok(answered.value.document);
    if (redirects === MAX_REDIRECTS) return fail("redirect", `it redirects more than ${MAX_REDIRECTS} times`);
    const next = parseEndpointUrl(answered.value.location, url);
    if (next === undefined)
      return fail("redirect", `${where}it redirects to what is no https:// URL without user name`);
    url = next;
  }
}

/** An `https://` URL without user name; undefined for anything else. */
export function parseEndpointUrl(text: string, base?: URL): URL | undefined {
  if (!URL.canParse(text, base?.href)) return undefined;
  const url = new URL(text, base);
  return url.protocol === "https:" && url.username === "" && url.password === "" && url.hostname !== ""
    ? url
    : undefined;
}

type Answer = Result<{ readonly document: Buffer } | { readonly location: string }, Code>;

/** On a connection that is ours alone and ends with this. */
function get(url: URL, socket: TLSSocket, cancelled: AbortSignal): Promise<Answer> {
  return new Promise<Answer>((resolve) => {
    const asked = request({
      createConnection: () => socket,
      host: url.hostname,
      port: url.port === "" ? 443 : Number(url.port),
      path: `${url.pathname}${url.search}`,
      headers: { accept: "application/json", "accept-encoding": "identity", connection: "close" },
    });
    const abort = (): void => give(fail("unreachable", "it took too long"));
    const give = (answer: Answer): void => {
      cancelled.removeEventListener("abort", abort);
      resolve(answer);
      asked.destroy();
      socket.destroy();
    };
    asked.on("error", () => give(fail("unreachable", "it closed the connection before its answer was complete")));
    asked.on("response", (response) => void readAnswer(response).then(give));
    if (cancelled.aborted) return abort();
    cancelled.addEventListener("abort", abort);
    asked.end();
  });
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const { statusCode = 0, headers } = response;
  if (REDIRECTS.has(statusCode)) {
    const { location } = headers;
    return location === undefined ? fail("redirect", "it redirects to nowhere") : ok({ location });
  }
  if (statusCode !== 200) return fail("status", `it answers with status ${statusCode}: 200 is needed`);
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") return fail("body", "it answers in a compressed form that was not asked for");
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MAX_BUNDLE_BYTES) return fail("body", `its document has more than ${MAX_BUNDLE_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch {
    return fail("unreachable", "it closed the connection before its answer was complete");
  }
  return ok({ document: Buffer.concat(chunks) });
}
