// Bytes that are no UTF-8 through http.send, both ways. SPEC: OPA's strings are bytes, and so are bodies and headers to it.

import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { createNetworkBuiltins } from "../../../../../src/policy/network-builtins.ts";
import { toBytes } from "../../../../../src/policy/value/bytes.ts";
import { RegoNumber, RegoObject, type Value } from "../../../../../src/policy/value.ts";
import { decide, portOf } from "../../../../support/http-send-world.ts";

/** Every byte, no two of which are a character of UTF-8 together. */
const ALL = Buffer.from(Array.from({ length: 256 }, (_, byte) => 255 - byte));
/** U+DC80 … U+DCFF stand for bytes that are no UTF-8. */
const RAW = "\udcff\udc80 \u00e9 \udcc3";
const RAW_BYTES = Buffer.from([0xff, 0x80, 0x20, 0xc3, 0xa9, 0x20, 0xc3]);

let port = 0;
let answer: Buffer = Buffer.alloc(0);
let seen = "";
const sockets = new Set<Socket>();
const server = createServer((socket) => {
  sockets.add(socket);
  let got = "";
  socket.on("data", (chunk) => {
    got += chunk.toString("latin1");
    const [head = "", body] = got.split(/\r\n\r\n(.*)$/s);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (body === undefined || body.length < length) return;
    [seen, got] = [got, ""];
    socket.write(answer);
  });
});
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = portOf(server);
});
after(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

const respond = (head: string, body: Buffer): void => {
  answer = Buffer.concat([Buffer.from(`HTTP/1.1 ${head}\r\ncontent-length: ${body.length}\r\n\r\n`, "latin1"), body]);
};

async function send(members: Record<string, Value>, path = "/"): Promise<RegoObject> {
  const network = createNetworkBuiltins({ httpSend: { allowedHosts: ["127.0.0.1"] } });
  const builtin = network.find("http.send");
  assert.ok(builtin !== undefined);
  const operand = { method: "post", url: `http://127.0.0.1:${port}${path}`, ...members };
  const result = await decide(builtin, [RegoObject.of(Object.entries(operand))]);
  network.close();
  assert.ok(result instanceof RegoObject);
  return result;
}

describe("an answer", () => {
  it("gives the policy every byte of its body", async () => {
    respond("200 OK", ALL);
    const body = (await send({})).get("raw_body");
    assert.ok(typeof body === "string" && toBytes(body).equals(ALL));
  });

  it("gives the bytes of headers and status", async () => {
    respond(`200 ${RAW_BYTES.toString("latin1")}\r\nx-raw: ${RAW_BYTES.toString("latin1")}`, Buffer.alloc(0));
    const result = await send({});
    assert.equal(result.get("status"), `200 ${RAW}`);
    const headers = result.get("headers");
    assert.ok(headers instanceof RegoObject);
    assert.deepEqual(headers.get("x-raw"), [RAW]);
  });

  it("of JSON has U+FFFD for each such byte, as Go's decoder makes of it, and keeps its raw body", async () => {
    respond("200 OK\r\ncontent-type: application/json", Buffer.from([0x22, 0xff, 0x80, 0x22]));
    const result = await send({});
    assert.deepEqual([result.get("body"), result.get("raw_body")], ["\ufffd\ufffd", '"\udcff\udc80"']);
  });

  it("is no YAML with such a byte", async () => {
    respond("200 OK\r\ncontent-type: application/yaml", Buffer.from([0x61, 0x3a, 0x20, 0xff]));
    assert.equal((await send({})).get("body"), null);
  });
});

describe("a request", () => {
  it("sends the bytes of a raw body, of headers and of the URL's path and query", async () => {
    respond("200 OK", Buffer.alloc(0));
    await send({ raw_body: RAW, headers: RegoObject.of([["x-raw", RAW]]) }, "/\udcff?q=\udcff\u00e9");
    const [head = "", body = ""] = seen.split(/\r\n\r\n(.*)$/s);
    const bytes = RAW_BYTES.toString("latin1");
    assert.equal(body, bytes);
    assert.ok(head.includes(`X-Raw: ${bytes}\r\n`) && head.includes("Content-Length: 7\r\n"), head);
    assert.match(head, /^POST \/%FF\?q=\u00ff\u00c3\u00a9 HTTP\/1\.1\r\n/);
  });

  it("is another one with other bytes: no answer is taken for that of U+FFFD", async () => {
    const network = createNetworkBuiltins({ httpSend: { allowedHosts: ["127.0.0.1"] } });
    const builtin = network.find("http.send");
    assert.ok(builtin !== undefined);
    const bodies: string[] = [];
    for (const body of ["\udcff", "\udcfe", "\ufffd", "\udcff"]) {
      respond("200 OK", Buffer.from(`${bodies.length}`));
      const operand = RegoObject.of([
        ["method", "post"],
        ["url", `http://127.0.0.1:${port}/`],
        ["raw_body", body],
        ["force_cache", true],
        ["force_cache_duration_seconds", RegoNumber.of(60)],
      ]);
      const result = await decide(builtin, [operand]);
      assert.ok(result instanceof RegoObject);
      bodies.push(String(result.get("raw_body")));
    }
    network.close();
    assert.deepEqual(bodies, ["0", "1", "2", "0"]);
  });

  it("asks about a kept answer with the bytes of its validators", async () => {
    const network = createNetworkBuiltins({ httpSend: { allowedHosts: ["127.0.0.1"] } });
    const builtin = network.find("http.send");
    assert.ok(builtin !== undefined);
    const operand = RegoObject.of([
      ["method", "get"],
      ["url", `http://127.0.0.1:${port}/`],
      ["cache", true],
    ]);
    respond(`200 OK\r\netag: "${Buffer.from("\u20ac").toString("latin1")}"`, Buffer.alloc(0));
    await decide(builtin, [operand]);
    await decide(builtin, [operand]);
    network.close();
    assert.ok(seen.includes(`If-None-Match: "${Buffer.from("\u20ac").toString("latin1")}"\r\n`), seen);
  });
});
