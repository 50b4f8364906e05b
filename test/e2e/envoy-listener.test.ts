// Envoys of every minor version in use before svidgate's own HTTP/2 server, over TCP, mTLS and a unix socket, with Envoy's own
// settings and with the tightest ones: decisions, bodies larger than any window, many requests over few connections, health checks,
// timeouts, and connections that end under load.

import assert from "node:assert/strict";
import { Agent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { EnvoyConfig, JsonValue } from "../../src/cli/demo/envoy-config.ts";
import type { Envoy } from "../../src/cli/demo/envoy-process.ts";
import { createWorld, EXT_AUTHZ, portOf, type World, withChanges } from "../support/envoy.ts";
import { envoysOfEveryMinor } from "../support/envoy-versions.ts";
import { startLoad } from "../support/load.ts";
import { type Serving, startServe } from "../support/serve.ts";

const POLICY = `package envoy.authz

http := input.attributes.request.http

asked := input.parsed_path[0]

allow if asked == "yes"

allow := false if asked == "no"

allow := {"allowed": true, "headers": {"x-raw-body": sprintf("%d", [count(object.get(http, "rawBody", ""))])}} if asked == "body"

allow := {"allowed": false, "http_status": 409, "body": data.large} if asked == "large-body"

# 30,000 bytes, more than HPACK's table holds.
allow := {"allowed": false, "http_status": 403, "headers": {name: data.header |
	some n in numbers.range(1, 20)
	name := sprintf("x-large-%d", [n])
}} if asked == "large-headers"
`;

const DATA = JSON.stringify({ large: "0123456789".repeat(50_000), header: "h".repeat(1500) });

const CLUSTER = ["static_resources", "clusters", 1];
const HTTP2_OPTIONS = [
  ...CLUSTER,
  ...["typed_extension_protocol_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"],
  ...["explicit_http_config", "http2_protocol_options"],
];
const ENVOY_ID = "spiffe://example.org/ns/edge/sa/envoy";
const SVIDGATE_ID = "spiffe://example.org/ns/authz/sa/svidgate";

interface Way {
  readonly name: string;
  readonly transport: "tcp" | "tls" | "unix";
  /** Of the connection to svidgate. */
  readonly http2: Readonly<Record<string, JsonValue>>;
  /** Of svidgate. */
  readonly flags?: readonly string[];
}

const WAYS: readonly Way[] = [
  { name: "TCP", transport: "tcp", http2: {} },
  {
    name: "TCP with the smallest windows and no HPACK table",
    transport: "tcp",
    http2: { hpack_table_size: 0, initial_stream_window_size: 65_535, initial_connection_window_size: 65_535 },
    // Eight denials of half a megabyte wait for these windows.
    flags: ["--set", "svidgate.limits.max_unsent=8MiB"],
  },
  { name: "mTLS with a large HPACK table", transport: "tls", http2: { hpack_table_size: 65_536 } },
  { name: "a unix socket", transport: "unix", http2: { max_concurrent_streams: 10 } },
];

/** Starts `svidgate serve`, and gives what a cluster needs to reach it. */
async function serve(
  world: World,
  transport: Way["transport"],
  ...flags: string[]
): Promise<{ serving: Serving; cluster: Record<string, JsonValue> }> {
  const common = [
    ...["--policy", await world.file("policy.rego", POLICY), "--data", await world.file("data.json", DATA)],
    ...["--admin", "off", "--audit", "none"],
  ];
  const start = async (...more: string[]): Promise<Serving> => {
    const serving = await startServe([...common, "--set", "svidgate.listener=line-rate", ...more, ...flags]);
    world.onClose(() => serving.kill());
    return serving;
  };
  if (transport === "tcp") {
    const serving = await start("--listen", "127.0.0.1:0");
    return { serving, cluster: { load_assignment: assignment(tcp(serving.address)) } };
  }
  if (transport === "unix") {
    const path = join(world.folder, `${Math.random().toString(36).slice(2)}.sock`);
    const serving = await start("--listen", `unix:${path}`);
    return { serving, cluster: { load_assignment: assignment({ pipe: { path } }) } };
  }
  const [own, client] = [
    await world.authority.svid("/ns/authz/sa/svidgate"),
    await world.authority.svid("/ns/edge/sa/envoy"),
  ];
  const ca = await world.file("ca.pem", world.authority.certificatePem);
  const serving = await start(
    ...["--listen", "127.0.0.1:0", "--tls-client-ca", ca, "--tls-client-spiffe-id", ENVOY_ID],
    ...["--tls-certificate", await world.file("pdp.pem", own.certificatePem)],
    ...["--tls-private-key", await world.file("pdp_key.pem", own.privateKeyPem)],
  );
  const chain = { filename: await world.file("client.pem", client.certificatePem) };
  const key = { filename: await world.file("client_key.pem", client.privateKeyPem) };
  return {
    serving,
    cluster: {
      load_assignment: assignment(tcp(serving.address)),
      transport_socket: {
        name: "envoy.transport_sockets.tls",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
          common_tls_context: {
            alpn_protocols: ["h2"],
            tls_certificates: [{ certificate_chain: chain, private_key: key }],
            validation_context: {
              trusted_ca: { filename: ca },
              match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: SVIDGATE_ID } }],
            },
          },
        },
      },
    },
  };
}

const tcp = (address: string): JsonValue => ({ socket_address: { address: "127.0.0.1", port_value: portOf(address) } });
const assignment = (...addresses: readonly JsonValue[]): JsonValue => ({
  cluster_name: "svidgate",
  endpoints: [{ lb_endpoints: addresses.map((address) => ({ endpoint: { address } })) }],
});

/** The edge before `cluster`, with bodies of up to 5 MiB and health checks ten times as often. */
async function configure(
  world: World,
  cluster: Record<string, JsonValue>,
  http2: Record<string, JsonValue> = {},
  checkTimeout = "10s",
): Promise<EnvoyConfig> {
  // The shipped port is replaced with the cluster's own address.
  const shipped = await world.config("ingress", "127.0.0.1:1", checkTimeout);
  const quick = { interval: "0.2s", no_traffic_interval: "0.2s", timeout: "5s" };
  const health = withChanges(shipped, [...CLUSTER, "health_checks", 0], quick);
  const bodies = withChanges(health, [...EXT_AUTHZ, "with_request_body"], { max_request_bytes: 5 << 20 });
  return withChanges(withChanges(bodies, HTTP2_OPTIONS, http2), CLUSTER, cluster);
}

/** One request on a connection that stays open; status, headers and body. */
function ask(
  world: World,
  envoy: Envoy,
  agent: Agent,
  path: string,
  body?: Buffer,
): Promise<{ status: number; body: string; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(
      {
        ...{ host: "127.0.0.1", port: envoy.port("edge"), path, agent, method: body === undefined ? "GET" : "POST" },
        ...{ ca: world.authority.certificatePem, checkServerIdentity: () => undefined, maxHeaderSize: 100_000 },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers });
        });
      },
    );
    sent.once("error", reject);
    sent.end(body);
  });
}

const base64Length = (bytes: number): number => 4 * Math.ceil(bytes / 3);

for (const { name, binary, skip } of await envoysOfEveryMinor()) {
  describe(`${name} before the line-rate listener`, { skip }, () => {
    for (const { name: way, transport, http2, flags = [] } of WAYS) {
      describe(`over ${way}`, () => {
        let world: World;
        let serving: Serving;
        let envoy: Envoy;
        const agent = new Agent({ keepAlive: true, maxSockets: 200 });
        const get = (path: string, body?: Buffer) => ask(world, envoy, agent, path, body);
        const errors = (): Promise<number> => envoy.stat("http.ingress.ext_authz.svidgate.error");
        before(async () => {
          world = await createWorld();
          const served = await serve(world, transport, ...flags);
          serving = served.serving;
          envoy = await world.startEnvoy(binary, await configure(world, served.cluster, http2));
        });
        after(async () => {
          agent.destroy();
          await world.close();
        });

        it("passes decisions on, and finds svidgate healthy", async () => {
          assert.equal((await get("/yes")).status, 200);
          assert.equal((await get("/no")).status, 403);
          assert.ok((await envoy.stat("cluster.svidgate.health_check.success")) > 0);
          assert.equal(await envoy.stat("cluster.svidgate.membership_healthy"), 1);
          assert.equal(await errors(), 0);
        });

        it("carries bodies from nothing to megabytes, whatever the windows", async () => {
          for (const size of [0, 1, 16_384, 65_535, 70_000, 1 << 20, (1 << 20) + 12_345, 2_000_000]) {
            const answer = await get("/body", Buffer.alloc(size, 0xa5));
            assert.equal(answer.status, 200, `${size} bytes`);
            const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
            assert.equal(Number(headers["x-raw-body"]), base64Length(size));
          }
          assert.equal(await errors(), 0);
        });

        it("carries ten large bodies at once", async () => {
          const answers = await Promise.all(Array.from({ length: 10 }, () => get("/body", Buffer.alloc(500_000, 1))));
          assert.deepEqual(
            answers.map(({ status }) => status),
            Array.from({ length: 10 }, () => 200),
          );
        });

        it("brings large denials back", async () => {
          for (let round = 0; round < 3; round++) {
            const body = await get("/large-body");
            assert.deepEqual([body.status, body.body.length], [409, 500_000]);
            const headers = await get("/large-headers");
            assert.equal(headers.status, 403);
            assert.equal(String(headers.headers["x-large-20"]).length, 1500);
          }
          const many = await Promise.all(Array.from({ length: 8 }, () => get("/large-body")));
          assert.deepEqual(
            many.map(({ status, body }) => [status, body.length]),
            many.map(() => [409, 500_000]),
          );
          assert.equal(await errors(), 0);
        });

        it("is refused a message that is too large, and goes on", async () => {
          const before = await errors();
          assert.equal((await get("/body", Buffer.alloc(4_500_000))).status, 503);
          assert.equal((await get("/yes")).status, 200);
          assert.equal(await errors(), before + 1);
        });

        it("asks for many requests at once over one connection", async () => {
          const before = await errors();
          const connections = await envoy.stat("cluster.svidgate.upstream_cx_total");
          const load = startLoad(envoy.port("edge"), "/yes", 100, world.authority.certificatePem);
          await load.answered(1500);
          await load.stop();
          assert.deepEqual([...load.counts.keys()], ["200"], JSON.stringify([...load.counts]));
          assert.equal(await errors(), before);
          const opened = (await envoy.stat("cluster.svidgate.upstream_cx_total")) - connections;
          // Ten streams a connection, where it may have no more: one for each ten callers.
          assert.ok(opened <= ("max_concurrent_streams" in http2 ? 12 : 1), `${opened} connections`);
          assert.equal(await envoy.stat("cluster.svidgate.upstream_rq_rx_reset"), 0);
          assert.doesNotMatch(serving.log(), /"level":"error"/);
        });
      });
    }

    describe("that changes under load", () => {
      let world: World;
      before(async () => {
        world = await createWorld();
      });
      after(() => world.close());

      it("loses no check of a connection that is asked to leave", async () => {
        const { cluster } = await serve(world, "tcp", "--set", "svidgate.limits.max_connection_age=10s");
        const envoy = await world.startEnvoy(binary, await configure(world, cluster));
        const load = startLoad(envoy.port("edge"), "/yes", 8, world.authority.certificatePem);
        while ((await envoy.stat("cluster.svidgate.upstream_cx_destroy")) < 1) await load.answered(50);
        await load.answered(50);
        await load.stop();
        assert.deepEqual([...load.counts.keys()], ["200"], JSON.stringify([...load.counts]));
        assert.equal(await envoy.stat("http.ingress.ext_authz.svidgate.error"), 0);
        await envoy.stop();
      });

      it("loses no check when one of two svidgates is drained", async () => {
        const drain = ["--set", "svidgate.drain.lame_duck=500ms", "--set", "svidgate.drain.grace=5s"];
        const [{ serving: first }, { serving: second }] = await Promise.all([
          serve(world, "tcp", ...drain),
          serve(world, "tcp", ...drain),
        ]);
        const cluster = { load_assignment: assignment(tcp(first.address), tcp(second.address)) };
        const envoy = await world.startEnvoy(binary, await configure(world, cluster));
        const load = startLoad(envoy.port("edge"), "/yes", 8, world.authority.certificatePem);
        await load.answered(200);
        first.signal("SIGTERM");
        assert.equal(await first.ended(), 0, first.log());
        await load.answered(200);
        await load.stop();
        assert.deepEqual([...load.counts.keys()], ["200"], JSON.stringify([...load.counts]));
        assert.equal(await envoy.stat("http.ingress.ext_authz.svidgate.error"), 0);
        await envoy.stop();
        await second.kill();
      });

      it("gives up a check whose time is over, and is answered again when svidgate goes on", async () => {
        const { serving, cluster } = await serve(world, "tcp");
        const envoy = await world.startEnvoy(binary, await configure(world, cluster, {}, "0.3s"));
        const agent = new Agent({ keepAlive: true });
        assert.equal((await ask(world, envoy, agent, "/yes")).status, 200);
        serving.signal("SIGSTOP");
        const late = await Promise.all(Array.from({ length: 5 }, () => ask(world, envoy, agent, "/yes")));
        assert.deepEqual(
          late.map(({ status }) => status),
          [503, 503, 503, 503, 503],
        );
        serving.signal("SIGCONT");
        const deadlineMs = performance.now() + 10_000;
        while ((await ask(world, envoy, agent, "/yes")).status !== 200) {
          assert.ok(performance.now() < deadlineMs, serving.log());
          await delay(50);
        }
        assert.doesNotMatch(serving.log(), /"level":"error"/);
        agent.destroy();
        await envoy.stop();
        await serving.kill();
      });
    });
  });
}
