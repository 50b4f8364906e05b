import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  type AdminOptions,
  type AdminPorts,
  type AdminServer,
  openAdmin,
  type ReadyCheck,
} from "../../src/server/admin.ts";
import type { HealthFacts } from "../../src/server/admin-health.ts";
import { parseListenAddress } from "../../src/server/listen-address.ts";
import { makeFolder } from "../support/open-check-server.ts";

const healthy: HealthFacts = { canEvaluate: true, inactiveBundles: [], plugins: {} };

interface TestAdmin {
  readonly admin: AdminServer;
  readonly port: number;
  readonly faults: unknown[];
  get(
    target: string,
    options?: { method?: string; body?: string; headers?: Record<string, string> },
  ): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }>;
}

async function open(t: TestContext, ports: Partial<AdminPorts> = {}, options: AdminOptions = {}): Promise<TestAdmin> {
  const faults: unknown[] = [];
  const opened = await openAdmin(
    { kind: "tcp", host: "127.0.0.1", port: 0 },
    {
      health: () => healthy,
      ready: () => [],
      metrics: async () => "up 1\n",
      status: () => ({}),
      onFault: (error) => faults.push(error),
      ...ports,
    },
    options,
  );
  assert.ok(opened.ok, opened.ok ? "" : opened.detail);
  const admin = opened.value;
  t.after(() => admin.close());
  const { port } = admin.address as { port: number };
  return {
    admin,
    port,
    faults,
    get: (path, { method = "GET", body, headers = {} } = {}) =>
      new Promise((resolve, reject) => {
        const sent = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
          );
          response.on("error", reject);
        });
        sent.on("error", reject);
        sent.end(body);
      }),
  };
}

/** Sends `bytes` on a connection of its own and collects what comes until the server closes it. */
function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
    socket.write(bytes);
  });
}

describe("the admin port", () => {
  it("answers /health as OPA does", async (t) => {
    let facts = healthy;
    const { get } = await open(t, { health: () => facts });
    const good = await get("/health?bundles&plugins");
    assert.deepEqual([good.status, good.headers["content-type"], good.body], [200, "application/json", "{}\n"]);
    facts = { canEvaluate: true, inactiveBundles: ["authz"], plugins: { status: "ERROR" } };
    assert.equal((await get("/health")).status, 200);
    const bad = await get("/health?bundles");
    assert.deepEqual([bad.status, bad.body], [500, '{"error":"one or more bundles are not activated: authz"}\n']);
    assert.equal((await get("/health?plugins")).status, 500);
    assert.equal((await get("/health?plugins&exclude-plugin=status")).status, 200);
    assert.equal((await get("/health?%zz&bundles=%")).status, 200);
  });

  it("answers /livez whatever else is wrong", async (t) => {
    const fails = () => {
      throw new Error("broken");
    };
    const { get } = await open(t, { health: fails, ready: fails, metrics: fails, status: fails });
    assert.deepEqual([(await get("/livez")).status, (await get("/livez")).body], [200, "ok\n"]);
  });

  it("answers /readyz by its checks, and lists them when asked or when one fails", async (t) => {
    let checks: ReadyCheck[] = [{ name: "policy", ready: true }];
    const { get } = await open(t, { ready: () => checks });
    const plain = await get("/readyz");
    assert.deepEqual([plain.status, plain.body], [200, "ok\n"]);
    assert.equal((await get("/readyz?verbose")).body, "[+]policy ok\nok\n");
    checks = [
      { name: "policy", ready: true },
      { name: "bundle", ready: false, detail: "503 from\r\n[+]x ok\u2028\u202e" },
      { name: "drain", ready: false },
    ];
    const failed = await get("/readyz");
    assert.equal(failed.status, 503);
    assert.equal(
      failed.body,
      "[+]policy ok\n[-]bundle failed: 503 from  [+]x ok  \n[-]drain failed: not ready\nnot ready\n",
    );
  });

  it("gives /metrics as text and /status as JSON", async (t) => {
    const { get } = await open(t, { metrics: async () => "# HELP é\nup 1\n", status: () => ({ a: [1, "é"] }) });
    const metrics = await get("/metrics");
    assert.deepEqual(
      [metrics.status, metrics.headers["content-type"], metrics.body],
      [200, "text/plain; version=0.0.4; charset=utf-8", "# HELP é\nup 1\n"],
    );
    const status = await get("/status?pretty");
    assert.deepEqual(
      [status.status, status.headers["content-type"], JSON.parse(status.body)],
      [200, "application/json", { a: [1, "é"] }],
    );
    assert.equal(status.headers["cache-control"], "no-store");
  });

  it("answers HEAD as GET without the body", async (t) => {
    const { get } = await open(t);
    for (const path of ["/health", "/livez", "/readyz", "/metrics", "/status"]) {
      const [full, head] = [await get(path), await get(path, { method: "HEAD" })];
      assert.deepEqual(
        [head.status, head.body, head.headers["content-length"]],
        [full.status, "", full.headers["content-length"]],
      );
    }
  });

  for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]) {
    it(`refuses ${method}`, async (t) => {
      const { get } = await open(t);
      const refused = await get("/status", { method, ...(method === "POST" ? { body: "x".repeat(1000) } : {}) });
      assert.deepEqual(
        [refused.status, refused.headers.allow, JSON.parse(refused.body)],
        [405, "GET, HEAD", { error: "method not allowed: use GET or HEAD" }],
      );
      assert.equal((await get("/livez")).status, 200);
    });
  }

  for (const path of [
    "/",
    "/Health",
    "/health/",
    "/health/live",
    "//health",
    "/../health",
    "/%68ealth",
    "/metrics/x",
    "/v1/data",
    "/v1/policies",
    "http://x/health",
    "/debug/pprof",
    "*",
  ]) {
    it(`does not know ${path}`, async (t) => {
      const { get } = await open(t);
      const missing = await get(path, path === "*" ? { method: "OPTIONS" } : {});
      assert.deepEqual(
        [missing.status, missing.headers["content-type"], missing.body],
        [404, "application/json", '{"error":"not found"}\n'],
      );
    });
  }

  it("says nothing of a fault but that there was one, and reports it", async (t) => {
    const broken = new Error("s3cret");
    const { get, faults } = await open(t, {
      metrics: () => Promise.reject(broken),
      status: () => {
        throw broken;
      },
    });
    for (const path of ["/metrics", "/status"]) {
      const failed = await get(path);
      assert.deepEqual([failed.status, failed.body], [500, '{"error":"internal error"}\n']);
    }
    assert.deepEqual(faults, [broken, broken]);
  });

  it("renders metrics once for all who ask meanwhile", async (t) => {
    let renders = 0;
    let finish: (text: string) => void = () => undefined;
    let onStart: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      onStart = resolve;
    });
    const { get } = await open(t, {
      metrics: () => {
        renders++;
        onStart();
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
    const first = get("/metrics");
    await started;
    const second = get("/metrics");
    await get("/livez"); // comes after the second one on the server, too
    finish("up 1\n");
    assert.deepEqual([(await first).body, (await second).body, renders], ["up 1\n", "up 1\n", 1]);
  });
});

describe("the admin port under bad clients", () => {
  it("answers 503 when a port does not answer", async (t) => {
    const { get } = await open(t, { metrics: () => new Promise(() => undefined) }, { timeoutMs: 50 });
    const late = await get("/metrics");
    assert.deepEqual([late.status, late.body], [503, '{"error":"timeout"}\n']);
    assert.equal((await get("/livez")).status, 200);
  });

  for (const [name, bytes] of [
    ["says nothing", ""],
    ["stops in its request line", "GET /livez HT"],
    ["stops in its headers", "GET /livez HTTP/1.1\r\nhost: x\r\na: "],
    ["promises a body that never comes", "GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"],
  ] as const) {
    it(`closes a client that ${name}`, async (t) => {
      const { get, port } = await open(t, {}, { timeoutMs: 50 });
      await raw(port, bytes);
      assert.equal((await get("/livez")).status, 200);
    });
  }

  for (const [name, bytes, status] of [
    ["noise", "\u0000\u0001\u0002\r\n\r\n", 400],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["two lengths", "GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400],
    [
      "length and chunks",
      "GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
      400,
    ],
    ["no host", "GET /livez HTTP/1.1\r\n\r\n", 400],
    ["20 KiB of headers", `GET /livez HTTP/1.1\r\nhost: x\r\na: ${"b".repeat(20_000)}\r\n\r\n`, 431],
    ["a request line of 20 KiB", `GET /livez?${"b".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431],
  ] as const) {
    it(`refuses ${name} with ${status}`, async (t) => {
      const { get, port } = await open(t);
      assert.match(await raw(port, bytes), new RegExp(`^HTTP/1.1 ${status} `));
      assert.equal((await get("/livez")).status, 200);
    });
  }

  it("closes a client that does not take its answer", async (t) => {
    const text = "x".repeat(32 * 1024 * 1024);
    const { get, port } = await open(t, { metrics: async () => text }, { timeoutMs: 300 });
    const stuck = connect(port, "127.0.0.1");
    t.after(() => stuck.destroy());
    stuck.on("error", () => undefined);
    stuck.pause();
    stuck.write("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.equal((await get("/livez")).status, 200);
    const closed = new Promise((resolve) => stuck.on("close", resolve));
    // A socket that does not read cannot see its end either: read on when the server's time is surely up.
    setTimeout(() => stuck.resume(), 1000);
    await closed;
    assert.ok(stuck.bytesRead < text.length, `${stuck.bytesRead}`);
  });

  it("closes what is over its cap and goes on with the others", async (t) => {
    const { port } = await open(t, {}, { maxConnections: 1 });
    const held = connect(port, "127.0.0.1");
    t.after(() => held.destroy());
    await new Promise((resolve) => held.on("connect", resolve));
    assert.equal(await raw(port, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"), "");
    held.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.match(`${await new Promise((resolve) => held.once("data", resolve))}`, /^HTTP\/1\.1 200 /);
  });
});

describe("the admin port's address", () => {
  const ports: AdminPorts = {
    health: () => healthy,
    ready: () => [],
    metrics: async () => "",
    status: () => ({}),
    onFault: () => undefined,
  };

  it("may be reachable from other machines, and says so", async () => {
    const address = parseListenAddress(":0");
    assert.ok(address.ok);
    const opened = await openAdmin(address.value, ports);
    assert.ok(opened.ok);
    assert.equal(opened.value.isLoopback, false);
    await opened.value.close();
  });

  it("is refused when it is in use", async (t) => {
    const { admin } = await open(t);
    const second = await openAdmin(admin.address, ports);
    assert.ok(!second.ok);
    assert.equal(second.code, "address_in_use");
  });

  it("may be a unix socket", async (t) => {
    const path = join(makeFolder(t), "admin.sock");
    const opened = await openAdmin({ kind: "unix", path }, ports, { socketMode: 0o600 });
    assert.ok(opened.ok);
    t.after(() => opened.value.close());
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const status = await new Promise((resolve, reject) => {
      httpRequest({ socketPath: path, path: "/livez" }, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    assert.equal(status, 200);
  });

  it("closes at once, though a client holds its connection open", async (t) => {
    const { admin, port } = await open(t);
    const idle = connect(port, "127.0.0.1");
    idle.on("error", () => undefined);
    idle.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n");
    await new Promise((resolve) => idle.once("data", resolve));
    const closed = new Promise((resolve) => idle.on("close", resolve));
    await admin.close();
    await closed;
    assert.equal(idle.destroyed, true);
  });
});
