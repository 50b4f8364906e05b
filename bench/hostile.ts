// What others wait while hostile bodies meet a quadratic policy: 2,000 ordinary checks and 100 hostile ones a second, sent on
// time and not in answer to each other, and /livez beside them. `node dist/bench/hostile.js [--seconds N] [--hostile N]
// [--ordinary N] [--budget STEPS] [--listener line-rate|grpc-js]`; the server has a core of its own (taskset), the load the other.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { encodeCheckRequest } from "../test/support/check-messages.ts";
import { toBenchRequest, toGrpcMessage } from "./check-request.ts";
import { Latencies } from "./latencies.ts";
import { LoadConnection } from "./load-connection.ts";
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
    /** Words for node, before svidgate's own. */
    node: { type: "string", multiple: true, default: [] },
  },
});

/** What came of one kind of request. */
class Figures {
  readonly waited = new Latencies();
  readonly answers = new Map<string, number>();

  note(answer: string, waitedMs: number): void {
    this.waited.add(waitedMs);
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
  }

  row(name: string): string {
    const { waited, answers } = this;
    const times = [0.5, 0.99, 1].map((part) => waited.quantileMs(part).toFixed(1));
    const counts = [...answers].map(([answer, count]) => `${answer}: ${count}`).join(", ");
    return `| ${[name, waited.count, ...times, counts].join(" | ")} |\n`;
  }
}

/** Some connections that ask one thing when it is due, in turn. */
class Askers {
  readonly #connections: readonly LoadConnection[];
  #next = 0;
  figures = new Figures();

  constructor(connections: number, body: Buffer) {
    this.#connections = Array.from(
      { length: connections },
      () =>
        new LoadConnection({
          socket: connect(PORT, "127.0.0.1"),
          bodies: [body],
          onAnswer: (outcome, waitedMs) => this.figures.note(outcome, waitedMs),
          onEnd: (why) => {
            throw new Error(`the server ended a connection: ${why}`);
          },
        }),
    );
  }

  /** Sends at even distances for as long as asked, whether answers come or not; ends when all answers are there. */
  async ask(perSecond: number, seconds: number): Promise<void> {
    const startMs = performance.now();
    for (let sent = 0; sent < perSecond * seconds; ) {
      const nowMs = performance.now();
      const due = Math.min(perSecond * seconds, Math.floor(((nowMs - startMs) / 1_000) * perSecond));
      // What a window does not admit waits since it was due.
      const sinceMs = Math.min(nowMs, startMs + (sent / perSecond) * 1_000 + 1);
      for (let tries = this.#connections.length; sent < due && tries > 0; ) {
        const took = this.#connections[this.#next++ % this.#connections.length]?.send(1, sinceMs) ?? 0;
        sent += took;
        if (took === 0) tries--;
      }
      await delay(1);
    }
    while (this.#connections.some(({ inFlight }) => inFlight > 0)) await delay(1);
  }

  close(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}

async function askLive(perSecond: number, seconds: number): Promise<Figures> {
  const figures = new Figures();
  const asked: Promise<void>[] = [];
  for (let sent = 0; sent < perSecond * seconds; sent++) {
    const sentMs = performance.now();
    asked.push(
      fetch(`http://127.0.0.1:${ADMIN_PORT}/livez`).then(({ status }) => {
        figures.note(String(status), performance.now() - sentMs);
      }),
    );
    await delay(1_000 / perSecond);
  }
  await Promise.all(asked);
  return figures;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-bench-"));
  writeFileSync(join(folder, "p.rego"), POLICY);
  const listener = values.listener === "grpc-js" ? "grpc-js" : "line-rate";
  const command = svidgate(join(folder, "p.rego"), "none", PORT, 0, listener);
  const args = command.args.map((word) => (word === "off" ? `127.0.0.1:${ADMIN_PORT}` : word));
  const server = await startServer({
    ...command,
    args: [...values.node, ...args, "--set", `svidgate.policy.budget=${values.budget}`],
  });
  const hostileBody = JSON.stringify({ items: Array.from({ length: ITEMS }, (_, n) => n) });
  const headers = { "content-type": "application/json" };
  const hostile = encodeCheckRequest({
    attributes: { request: { http: { method: "POST", path: "/", headers, raw_body: Buffer.from(hostileBody) } } },
  });
  const seconds = Number(values.seconds);
  const perSecond = Number(values.ordinary);
  const others = new Askers(8, toGrpcMessage(toBenchRequest()));
  const attacker = new Askers(1, toGrpcMessage(hostile));
  try {
    await others.ask(perSecond, 3);
    process.stdout.write(
      "| requests | number | p50 ms | p99 ms | max ms | answers |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (const hostilePerSecond of [0, Number(values.hostile)]) {
      others.figures = new Figures();
      const cpuMs = server.cpuMs();
      const [live] = await Promise.all([
        askLive(20, seconds),
        others.ask(perSecond, seconds),
        attacker.ask(hostilePerSecond, seconds),
      ]);
      const beside = `, beside ${hostilePerSecond} hostile ones a second`;
      process.stdout.write(others.figures.row(`ordinary${beside}`) + live.row(`/livez${beside}`));
      if (hostilePerSecond > 0) process.stdout.write(attacker.figures.row("hostile"));
      const busy = ((server.cpuMs() - cpuMs) / seconds / 10).toFixed(0);
      process.stdout.write(`| CPU of the server: ${busy} %, RSS ${server.rssMib().toFixed(0)} MiB | | | | | |\n`);
    }
  } finally {
    others.close();
    attacker.close();
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

await main();
