// A server whose Check does nothing, on one of the listeners, for bench/listener.ts: `listener-server.js KIND PORT`. What it costs
// is the listener and nothing else.

import { createServer } from "node:http2";
import { systemClock } from "../src/base/clock.ts";
import { openCheckServer } from "../src/server/check-server.ts";
import { createGrpcJsListener } from "../src/server/grpc-js-listener.ts";
import { createHealth } from "../src/server/health.ts";
import { createLineRateListener } from "../src/server/line-rate-listener.ts";
import { parseListenAddress } from "../src/server/listen-address.ts";
import type { Listener, ListenerOptions } from "../src/server/listener.ts";
import { createBareServer } from "./bare-frames.ts";

/** CheckResponse: an empty status, an empty ok_response. */
const ALLOW = Buffer.from([0x0a, 0, 0x1a, 0]);

async function serve(port: number, createListener: (options: ListenerOptions) => Listener): Promise<void> {
  const address = parseListenAddress(`127.0.0.1:${port}`);
  if (!address.ok) throw new Error(`no port: ${port}`);
  const reply = { kind: "message", bytes: ALLOW } as const;
  const opened = await openCheckServer({
    addresses: [address.value],
    listener: {
      handler: () => reply,
      clock: systemClock,
      health: createHealth(),
      onFault: (error) => process.stderr.write(`${String(error)}\n`),
    },
    createListener,
  });
  if (!opened.ok) throw new Error(opened.detail);
}

const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, ALLOW.length]), ALLOW]);

/** The least that answers a unary gRPC call on Node's own HTTP/2, by the book. */
function serveNodeHttp2(port: number): void {
  const server = createServer({ settings: { maxConcurrentStreams: 1024 } });
  server.on("stream", (stream) => {
    const parts: Buffer[] = [];
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(MESSAGE);
    });
    stream.on("error", () => undefined);
  });
  server.listen(port, "127.0.0.1");
}

const [kind = "", port = ""] = process.argv.slice(2);
if (kind === "bare-frames") createBareServer(MESSAGE).listen(Number(port), "127.0.0.1");
else if (kind === "line-rate") await serve(Number(port), createLineRateListener);
else if (kind === "node-http2") serveNodeHttp2(Number(port));
else if (kind === "grpc-js") await serve(Number(port), createGrpcJsListener);
else throw new Error(`no such listener: \`${kind}\``);
// With --cpu-prof the profile is written at an orderly exit.
process.once("SIGTERM", () => process.exit(0));
