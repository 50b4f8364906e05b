// What others wait while hostile bodies meet a quadratic policy: 2,000 ordinary checks and 100 hostile ones a second, sent on
// time and not in answer to each other, and /livez beside them. `node dist/bench/hostile.js [--seconds N] [--hostile N]
// [--ordinary N] [--budget STEPS] [--listener line-rate|grpc-js]`; the server has a core of its own (taskset), the load the other.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { CHECK_PATH } from "../src/server/listener.ts";
import { decodeCheckResponse, encodeCheckRequest } from "../test/support/check-messages.ts";
import { createGrpcPeer, type GrpcPeer } from "../test/support/grpc-peer.ts";
import { toBenchRequest } from "./check-request.ts";
import { startServer, svidgate } from "./servers.ts";

const POLICY = `package envoy.authz

default allow := false

allow if input.attributes.request.http.method == "GET"

allow if {
	items := input.parsed_body.items
	count([1 | some x in items; some y in items; x == y]) == count(items)
}
`;
const PORT = 19_191;
const ADMIN_PORT = 19_192;
const ITEMS = 5_000;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    hostile: { type: "string", default: "100" },
    ordinary: { type: "string", default: "2000" },
    budget: { type: "string", default: "20000000" },
    listener: { type: "string", default: "line-rate" },
  },
});

/** What came of one kind of request. */
interface Stream {
  readonly name: string;
  readonly waitedMs: number[];
  readonly answers: Map<string, number>;
}

const createStream = (name: string): Stream => ({ name, waitedMs: [], answers: new Map() });

/** Sends at even distances for as long as asked, whether answers come or not; ends when all answers are there. */
async function send(stream: Stream, perSecond: number, seconds: number, ask: () => Promise<string>): Promise<void> {
  const startMs = performance.now();
  const pending: Promise<void>[] = [];
  for (let sent = 0; sent < perSecond * seconds; ) {
    const due = Math.min(perSecond * seconds, ((performance.now() - startMs) / 1_000) * perSecond);
    for (; sent < due; sent++) {
      const sentMs = performance.now();
      const note = (answer: string): void => {
        stream.waitedMs.push(performance.now() - sentMs);
        stream.answers.set(answer, (stream.answers.get(answer) ?? 0) + 1);
      };
      pending.push(ask().then(note, (error: unknown) => note(String(error))));
    }
    await delay(1);
  }
  await Promise.all(pending);
}

async function check(peer: GrpcPeer, request: Uint8Array): Promise<string> {
  const ended = await peer.call(CHECK_PATH, request);
  return "bytes" in ended ? `status ${decodeCheckResponse(ended.bytes).status?.code ?? 0}` : `code ${ended.code}`;
}

function print({ name, waitedMs, answers }: Stream): void {
  const sorted = [...waitedMs].sort((a, b) => a - b);
  const at = (part: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(1);
  const counts = [...answers].map(([answer, count]) => `${answer}: ${count}`).join(", ");
  process.stdout.write(`| ${name} | ${sorted.length} | ${at(0.5)} | ${at(0.99)} | ${at(1)} | ${counts} |\n`);
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-bench-"));
  writeFileSync(join(folder, "p.rego"), POLICY);
  const listener = values.listener === "grpc-js" ? "grpc-js" : "line-rate";
  const command = svidgate(join(folder, "p.rego"), "none", PORT, 0, listener);
  const args = command.args.map((word) => (word === "off" ? `127.0.0.1:${ADMIN_PORT}` : word));
  const server = await startServer({ ...command, args: [...args, "--set", `svidgate.policy.budget=${values.budget}`] });
  const hostileBody = JSON.stringify({ items: Array.from({ length: ITEMS }, (_, n) => n) });
  const headers = { "content-type": "application/json" };
  const hostile = encodeCheckRequest({
    attributes: { request: { http: { method: "POST", path: "/", headers, raw_body: Buffer.from(hostileBody) } } },
  });
  const ordinary = toBenchRequest();
  const peers = Array.from({ length: 8 }, () => createGrpcPeer(`127.0.0.1:${PORT}`));
  const attacker = createGrpcPeer(`127.0.0.1:${PORT}`);
  try {
    let next = 0;
    const askOrdinary = () => check(peers[next++ % peers.length] ?? attacker, ordinary);
    await send(createStream("warm-up"), Number(values.ordinary), 3, askOrdinary);
    process.stdout.write(
      "| requests | number | p50 ms | p99 ms | max ms | answers |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (const perSecond of [0, Number(values.hostile)]) {
      const beside = `, beside ${perSecond} hostile ones a second`;
      const streams = ["ordinary", "/livez", "hostile"].map((name) =>
        createStream(name + (name === "hostile" ? "" : beside)),
      );
      const [others, live, attack] = streams as [Stream, Stream, Stream];
      const seconds = Number(values.seconds);
      const cpuMs = server.cpuMs();
      await Promise.all([
        send(others, Number(values.ordinary), seconds, askOrdinary),
        send(live, 20, seconds, async () => String((await fetch(`http://127.0.0.1:${ADMIN_PORT}/livez`)).status)),
        send(attack, perSecond, seconds, () => check(attacker, hostile)),
      ]);
      for (const stream of streams) if (stream.waitedMs.length > 0) print(stream);
      process.stdout.write(
        `| CPU of the server: ${((server.cpuMs() - cpuMs) / seconds / 10).toFixed(0)} %, RSS ${server.rssMib().toFixed(0)} MiB | | | | | |\n`,
      );
    }
  } finally {
    for (const peer of [...peers, attacker]) peer.close();
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

await main();
