// OPA's own tests of http.send (v1/topdown/http_test.go, http_slow_test.go) are the rule book of these tables.

import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { BuiltinError } from "../../../../../src/policy/builtins/builtin.ts";
import { retryDelayMs } from "../../../../../src/policy/builtins/http-send/client.ts";
import { createHttpSendWorld, echo, startHttpServer, type TestServer } from "../../../../support/http-send-world.ts";

let server: TestServer;
before(async () => {
  server = await startHttpServer(echo);
});
after(() => server.close());

interface Echoed {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** What the echoing server saw of a request. */
async function seen(operand: object): Promise<Echoed> {
  const world = createHttpSendWorld();
  const { body } = await world.send({ method: "get", url: `${server.url}/x`, ...operand });
  world.close();
  return body as Echoed;
}

describe("a request", () => {
  it("is what the operand says", async () => {
    const { method, url, headers, body } = await seen({
      method: "post",
      url: `${server.url}/a%20b/../c?x=1`,
      headers: { "X-FOO-bar": "a", "content-type": "text/plain" },
      raw_body: "hello",
    });
    assert.deepEqual([method, url, body], ["POST", "/a%20b/../c?x=1", "hello"]);
    assert.equal(headers["x-foo-bar"], "a");
    assert.equal(headers["content-length"], "5");
    assert.match(headers["user-agent"] ?? "", /^svidgate\/\d/);
  });

  it("writes header names as Go does", async () => {
    const { rawHeaders } = await seen({ headers: { "x-REQUEST-id": "1" } });
    assert.ok(rawHeaders.includes("X-Request-Id"));
  });

  it("takes the policy's own user agent and host", async () => {
    const { headers } = await seen({ headers: { "user-agent": "mine/1", HOST: "other.example" } });
    assert.deepEqual([headers["user-agent"], headers["host"]], ["mine/1", "other.example"]);
  });

  const bodies: readonly (readonly [what: string, operand: object, body: string])[] = [
    [
      "a body as Go's JSON",
      { body: { b: [1.5, null], a: "<\u00e9&>" } },
      '{"a":"\\u003c\u00e9\\u0026\\u003e","b":[1.5,null]}',
    ],
    ["a raw body as it is", { raw_body: "username=foobar&password=baz" }, "username=foobar&password=baz"],
    ["the raw body of both", { body: { foo: 1 }, raw_body: "raw" }, "raw"],
    ["a raw body without the quotation marks at its ends", { raw_body: '"raw"' }, "raw"],
    ["a body of text as JSON", { body: "text" }, '"text"'],
    ["no body", {}, ""],
  ];
  for (const [what, operand, body] of bodies) {
    it(`sends ${what}`, async () => assert.equal((await seen({ method: "put", ...operand })).body, body));
  }

  it("sends credentials of the URL, unless it sends its own", async () => {
    const url = `http://user:p%40ss@127.0.0.1:${server.port}/`;
    const basic = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;
    assert.equal((await seen({ url })).headers["authorization"], basic);
    assert.equal((await seen({ url, headers: { authorization: "Bearer x" } })).headers["authorization"], "Bearer x");
  });

  it("frames itself, whatever headers the policy gives", async () => {
    const { headers, body } = await seen({
      method: "post",
      raw_body: "abc",
      headers: { "content-length": "99", "transfer-encoding": "chunked", trailer: "x" },
    });
    assert.deepEqual([headers["content-length"], headers["transfer-encoding"], body], ["3", undefined, "abc"]);
  });

  const invalid: readonly (readonly [operand: object, message: RegExp])[] = [
    [{ method: "get" }, /^operand 1 missing required request parameters\(s\): \{"url"\}$/],
    [{}, /^operand 1 missing required request parameters\(s\): \{"method", "url"\}$/],
    [{ method: "get", url: "http://h", bad_key: 1 }, /^operand 1 invalid request parameters\(s\): \{"bad_key"\}$/],
    [{ method: 1, url: "http://h" }, /^"method" must be a string$/],
    [{ method: "get", url: 1 }, /^"url" must be a string$/],
    [{ method: "get", url: "http://h", raw_body: {} }, /^"raw_body" must be a string$/],
    [{ method: "get", url: "http://h", tls_ca_cert: 1 }, /^"tls_ca_cert" must be a string$/],
    [{ method: "g t", url: "http://h" }, /invalid method "G T"/],
    [{ method: "connect", url: "http://h" }, /CONNECT/],
    [{ method: "get", url: "http://h", headers: 1 }, /^invalid type for headers key$/],
    [{ method: "get", url: "http://h", headers: { a: 1 } }, /^invalid type for headers value 1$/],
    [{ method: "get", url: "http://h", headers: { "a b": "x" } }, /invalid header field name "a b"/],
    [{ method: "get", url: "http://h", headers: { a: "x\r\ny: z" } }, /invalid header field value for "A"/],
    [{ method: "get", url: "http://h", raise_error: 1 }, /^invalid value for raise_error field$/],
    [{ method: "get", url: "http://h", cache: 1 }, /^invalid value for "cache" field$/],
    [{ method: "get", url: "http://h", force_json_decode: "x" }, /^invalid value for "force_json_decode" field$/],
    [
      { method: "get", url: "http://h", enable_redirect: "x" },
      /^strconv\.ParseBool: parsing "\\"x\\"": invalid syntax$/,
    ],
    [
      { method: "get", url: "http://h", max_retry_attempts: "bad" },
      /^invalid value "bad" for field "max_retry_attempts"$/,
    ],
    [
      { method: "get", url: "http://h", max_retry_attempts: 1.2 },
      /^invalid value 1\.2 for field "max_retry_attempts"$/,
    ],
    [
      { method: "get", url: "http://h", max_retry_attempts: -1000 },
      /^invalid value -1000 for field "max_retry_attempts"$/,
    ],
    [
      { method: "get", url: "http://h", force_cache: true },
      /^'force_cache' set but 'force_cache_duration_seconds' parameter is missing$/,
    ],
    [{ method: "get", url: "http://h", force_cache: true, force_cache_duration_seconds: "1" }, /^strconv\.ParseInt: /],
    [{ method: "get", url: "http://h", force_cache: true, force_cache_duration_seconds: 1e10 }, /value out of range$/],
    [
      { method: "get", url: "http://h", headers: {}, cache_ignored_headers: ["a", 1] },
      /^cache_ignored_headers must be an array of strings$/,
    ],
    [{ method: "get", url: "http://h", timeout: 1.234 }, /^invalid timeout number value 1\.234, must be int64$/],
    [{ method: "get", url: "http://h", timeout: "1xyz 2" }, /^invalid timeout value "1xyz 2": /],
    [{ method: "get", url: "http://h", timeout: "1.234" }, /^invalid timeout value "1\.234": /],
    [{ method: "get", url: "http://h", timeout: "1d" }, /^invalid timeout value "1d": /],
    [{ method: "get", url: "http://h", timeout: {} }, /'timeout' must be one of \{string, number\} but got object$/],
    [{ method: "get", url: "http://h", timeout: null }, /but got null$/],
    [{ method: "get", url: "http://h", tls_ca_cert_file: "/etc/passwd" }, /./],
  ];
  for (const [operand, message] of invalid.slice(0, -1)) {
    it(`is refused: ${JSON.stringify(operand)}`, async () => {
      const world = createHttpSendWorld();
      await assert.rejects(world.send(operand), (error: unknown) => {
        assert.ok(error instanceof BuiltinError);
        assert.match(error.message, message);
        return true;
      });
      assert.deepEqual(world.outcomes, ["invalid"]);
    });
  }

  it("that is refused is a result under raise_error: false", async () => {
    const world = createHttpSendWorld();
    assert.deepEqual(await world.send({ url: "http://h", raise_error: false }), {
      status_code: 0,
      error: {
        code: "eval_http_send_internal_error",
        message: 'eval_type_error: http.send: operand 1 missing required request parameters(s): {"method"}',
      },
    });
    assert.deepEqual(await world.send({ method: "get", url: "foo://foo.com", raise_error: false }), {
      status_code: 0,
      error: {
        code: "eval_http_send_network_error",
        message: 'Get "foo://foo.com": unsupported protocol scheme "foo"',
      },
    });
  });
});

describe("an answer", () => {
  const headers = (type: string | undefined): Record<string, string> =>
    type === undefined ? {} : { "content-type": type };
  const bodies: readonly (readonly [
    what: string,
    type: string | undefined,
    body: string,
    options: object,
    value: unknown,
  ])[] = [
    ["JSON by its type", "application/json", '{"foo":"bar"}', {}, { foo: "bar" }],
    ["JSON by its type with a parameter", "application/json; charset=utf-8", "[1]", {}, [1]],
    ["JSON by a suffix", "application/problem+json", "[1]", {}, [1]],
    ["JSON by option", undefined, '{"foo":"bar"}', { force_json_decode: true }, { foo: "bar" }],
    ["no JSON by a type that only looks like it", "text/json", "[1]", {}, null],
    ["no JSON by a type that cannot be read", "application/json; =", "[1]", {}, null],
    ["JSON that is none", "application/json", "*Hello", {}, null],
    ["JSON followed by more", "application/json", '{"a":1} x', {}, { a: 1 }],
    ["YAML by its type", "application/yaml", "foo: bar", {}, { foo: "bar" }],
    ["YAML by its older type", "application/x-yaml", "foo: bar", {}, { foo: "bar" }],
    ["YAML by option", undefined, "foo: bar", { force_yaml_decode: true }, { foo: "bar" }],
    ["YAML that is none", undefined, "*Hello World\u00ae", { force_yaml_decode: true }, null],
    ["JSON read as YAML", undefined, '{"foo":"bar"}', { force_yaml_decode: true }, { foo: "bar" }],
    ["text", "text/plain", "hello", {}, null],
    ["nothing", "application/json", "", {}, null],
  ];
  for (const [what, type, body, options, value] of bodies) {
    it(`is read: ${what}`, async () => {
      const answering = await startHttpServer((_, response) => response.writeHead(200, headers(type)).end(body));
      const world = createHttpSendWorld();
      const result = await world.send({ method: "get", url: answering.url, ...options });
      assert.deepEqual([result.status, result.status_code, result.body, result.raw_body], ["200 OK", 200, value, body]);
      world.close();
      await answering.close();
    });
  }

  it("keeps all values of a header, by its lower-case name, without the framing", async () => {
    const answering = await startHttpServer((_, response) => {
      response.setHeader("X-Multi", ["a", "b"]);
      response.setHeader("X-Bytes", Buffer.from("\u00e9").toString("latin1"));
      response.write("chunked");
      response.end();
    });
    const world = createHttpSendWorld();
    const { headers: got } = await world.send({ method: "get", url: answering.url });
    assert.deepEqual(
      [got?.["x-multi"], got?.["x-bytes"], got?.["transfer-encoding"]],
      [["a", "b"], ["\u00e9"], undefined],
    );
    world.close();
    await answering.close();
  });

  it("is unpacked, and then says nothing of its packing", async () => {
    const answering = await startHttpServer((request, response) => {
      assert.equal(request.headers["accept-encoding"], "gzip");
      response.setHeader("content-encoding", "gzip");
      response.end(gzipSync("hello"));
    });
    const world = createHttpSendWorld();
    const { raw_body: text, headers: got } = await world.send({ method: "get", url: answering.url });
    assert.deepEqual([text, got?.["content-encoding"], got?.["content-length"]], ["hello", undefined, undefined]);
    world.close();
    await answering.close();
  });

  it("is left packed when the policy asked for it itself", async () => {
    const packed = gzipSync("hello");
    const answering = await startHttpServer((_, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(packed),
    );
    const world = createHttpSendWorld();
    const got = await world.send({ method: "get", url: answering.url, headers: { "accept-encoding": "gzip" } });
    assert.deepEqual(got.headers?.["content-encoding"], ["gzip"]);
    world.close();
    await answering.close();
  });

  it("is no larger than allowed, packed or not", async () => {
    const answering = await startHttpServer((request, response) => {
      const body = "x".repeat(request.url === "/fits" ? 1_000 : 1_001);
      if (request.url === "/packed") response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(body));
      else response.end(body);
    });
    const world = createHttpSendWorld({ maxResponseBytes: 1_000 });
    assert.equal((await world.send({ method: "get", url: `${answering.url}/fits` })).raw_body?.length, 1_000);
    for (const path of ["/large", "/packed"])
      await assert.rejects(world.send({ method: "get", url: answering.url + path }), /larger than 1000 bytes/);
    assert.deepEqual(world.outcomes, ["answered", "too_large", "too_large"]);
    world.close();
    await answering.close();
  });

  it("that breaks off is an error", async () => {
    const answering = await startHttpServer((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
      setImmediate(() => response.destroy());
    });
    const world = createHttpSendWorld();
    const got = await world.send({ method: "get", url: answering.url, raise_error: false });
    assert.deepEqual([got.status_code, got.error?.code], [0, "eval_http_send_internal_error"]);
    assert.deepEqual(world.outcomes, ["unreachable"]);
    world.close();
    await answering.close();
  });

  it("to HEAD has no body", async () => {
    const world = createHttpSendWorld();
    const got = await world.send({ method: "head", url: `${server.url}/x` });
    assert.deepEqual([got.status_code, got.raw_body], [200, ""]);
    world.close();
  });
});

describe("hosts", () => {
  it("that are not listed are not asked, and the refusal says which key lists them", async () => {
    const world = createHttpSendWorld({ allowedHosts: ["other.example"] });
    await assert.rejects(world.send({ method: "get", url: `${server.url}/x` }), (error: unknown) => {
      assert.ok(error instanceof BuiltinError);
      assert.match(
        error.message,
        /^disallowed host: 127\.0\.0\.1:\d+: `svidgate\.policy\.http_send\.allowed_hosts` does not list it$/,
      );
      return true;
    });
    assert.deepEqual([world.outcomes, world.refused], [["refused"], [`127.0.0.1:${server.port}`]]);
    const told = await world.send({ method: "get", url: server.url, raise_error: false });
    assert.match(told.error?.message ?? "", /^eval_builtin_error: http\.send: disallowed host: /);
  });

  it("are compared at every redirect", async () => {
    const redirecting = await startHttpServer((_, response) =>
      response.writeHead(302, { location: `http://localhost:${server.port}/inner` }).end(),
    );
    const before = server.requests.length;
    const world = createHttpSendWorld({ allowedHosts: [`127.0.0.1:${redirecting.port}`] });
    await assert.rejects(
      world.send({ method: "get", url: redirecting.url, enable_redirect: true }),
      /^BuiltinError: disallowed host: localhost:/,
    );
    assert.equal(server.requests.length, before, "nothing was sent");
    assert.deepEqual(world.outcomes, ["refused"]);
    world.close();
    await redirecting.close();
  });

  it("are compared after user information has been taken off", async () => {
    const world = createHttpSendWorld({ allowedHosts: ["allowed.example"] });
    await assert.rejects(
      world.send({ method: "get", url: `http://allowed.example@127.0.0.1:${server.port}/` }),
      /disallowed host: 127\.0\.0\.1/,
    );
  });

  it("of unix sockets are listed by their path", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "http-send-"));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, "s.sock");
    const listening = createServer(echo);
    await new Promise<void>((resolve) => listening.listen(path, resolve));
    t.after(() => listening.close());
    const url = `unix://localhost/end/point?param1=value1&socket=${encodeURIComponent(path)}`;
    const world = createHttpSendWorld({ allowedHosts: [`unix:${path}`] });
    const { body } = await world.send({ method: "get", url });
    assert.deepEqual(
      [(body as Echoed).url, (body as Echoed).headers["host"]],
      ["/end/point?param1=value1", "localhost"],
    );
    world.close();
    await assert.rejects(
      createHttpSendWorld({ allowedHosts: ["*"] }).send({ method: "get", url }),
      /disallowed host: unix:/,
    );
  });
});

describe("redirects", () => {
  let hops: TestServer;
  before(async () => {
    hops = await startHttpServer((request, response) => {
      const [, status, target = ""] = /^\/(\d+)(\/.*)?$/.exec(request.url ?? "") ?? [];
      if (status !== undefined) response.writeHead(Number(status), { location: target || "/end" }).end("moved");
      else if (request.url === "/loop") response.writeHead(302, { location: "/loop" }).end();
      else if (request.url === "/nowhere") response.writeHead(302).end("no location");
      else echo(request, response);
    });
  });
  after(() => hops.close());

  it("are not followed unless asked for", async () => {
    const world = createHttpSendWorld();
    const got = await world.send({ method: "get", url: `${hops.url}/301` });
    assert.deepEqual(
      [got.status, got.headers?.["location"], got.raw_body],
      ["301 Moved Permanently", ["/end"], "moved"],
    );
    world.close();
  });

  for (const [status, method, wantMethod, wantBody] of [
    [301, "get", "GET", ""],
    [302, "post", "GET", ""],
    [303, "put", "GET", ""],
    [302, "head", "HEAD", undefined],
    [307, "post", "POST", "body"],
    [308, "put", "PUT", "body"],
  ] as const) {
    it(`of ${status} make ${method} ${wantMethod}, ${wantBody === "body" ? "with" : "without"} the body`, async () => {
      const world = createHttpSendWorld();
      const isBodiless = method === "get" || method === "head";
      const { body } = await world.send({
        method,
        url: `${hops.url}/${status}`,
        enable_redirect: true,
        headers: { "content-type": "text/plain", "x-kept": "1" },
        ...(isBodiless ? {} : { raw_body: "body" }),
      });
      world.close();
      assert.equal(hops.requests.at(-1), `${wantMethod} /end`);
      if (wantBody === undefined) return;
      const { headers, body: text } = body as Echoed;
      assert.deepEqual([text, headers["x-kept"], headers["referer"]], [wantBody, "1", `${hops.url}/${status}`]);
      assert.equal(headers["content-type"], wantBody === "" ? undefined : "text/plain");
    });
  }

  it("end after ten", async () => {
    const world = createHttpSendWorld();
    const before = hops.requests.length;
    await assert.rejects(
      world.send({ method: "get", url: `${hops.url}/loop`, enable_redirect: true }),
      /stopped after 10 redirects/,
    );
    assert.equal(hops.requests.length - before, 11);
    world.close();
  });

  it("without a Location are answers", async () => {
    const world = createHttpSendWorld();
    const got = await world.send({ method: "get", url: `${hops.url}/nowhere`, enable_redirect: true });
    assert.equal(got.status_code, 302);
    world.close();
  });

  it("to another domain do not carry credentials, to the same one they do", async () => {
    const headers = { authorization: "Bearer x", cookie: "a=b", "x-other": "1" };
    const world = createHttpSendWorld();
    const same = await world.send({ method: "get", url: `${hops.url}/307/end`, enable_redirect: true, headers });
    assert.equal((same.body as Echoed).headers["authorization"], "Bearer x");
    const away = await startHttpServer((_, response) =>
      response.writeHead(307, { location: `http://localhost:${hops.port}/end` }).end(),
    );
    const other = await world.send({ method: "get", url: away.url, enable_redirect: true, headers });
    const got = (other.body as Echoed).headers;
    assert.deepEqual([got["authorization"], got["cookie"], got["x-other"]], [undefined, undefined, "1"]);
    world.close();
    await away.close();
  });
});

describe("time and retries", () => {
  it("end a request that takes too long, with OPA's words", async () => {
    const silent = await startHttpServer(() => undefined);
    const world = createHttpSendWorld();
    await assert.rejects(
      world.send({ method: "get", url: silent.url, timeout: "20ms" }),
      /^BuiltinError: Get http:\/\/127\.0\.0\.1:\d+: request timed out$/,
    );
    const told = await world.send({ method: "get", url: silent.url, timeout: 20_000_000, raise_error: false });
    assert.match(
      told.error?.message ?? "",
      /^Get "http:.*": context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\)$/,
    );
    assert.equal(told.error?.code, "eval_http_send_network_error");
    assert.deepEqual(world.outcomes, ["timeout", "timeout"]);
    world.close();
    await silent.close();
  });

  it("cover the body too", async () => {
    const slow = await startHttpServer((_, response) => {
      response.writeHead(200);
      response.write("begin");
    });
    const world = createHttpSendWorld();
    const told = await world.send({ method: "get", url: slow.url, timeout: "30ms", raise_error: false });
    assert.match(told.error?.message ?? "", /while reading body/);
    world.close();
    await slow.close();
  });

  it("wait longer before each further attempt", () => {
    assert.deepEqual(
      [0, 1, 2, 3].map((retry) => Math.round(retryDelayMs(retry, 0.5))),
      [0, 160, 256, 410],
    );
    assert.equal(retryDelayMs(100, 1), 72_000);
    assert.equal(retryDelayMs(1, 0), 128);
  });

  it("try again as often as asked, then give up", async () => {
    let left = 2;
    const failing = await startHttpServer((request, response) => {
      if (left-- > 0) request.socket.destroy();
      else response.end("at last");
    });
    const world = createHttpSendWorld();
    assert.equal((await world.send({ method: "get", url: failing.url, max_retry_attempts: 2 })).raw_body, "at last");
    world.close();
    left = 2;
    const other = createHttpSendWorld();
    await assert.rejects(
      other.send({ method: "get", url: failing.url, max_retry_attempts: 1 }),
      /^BuiltinError: Get "http:.*": EOF$/,
    );
    assert.equal(failing.requests.length, 5);
    other.close();
    await failing.close();
  });

  it("try nothing again that cannot succeed", async () => {
    const world = createHttpSendWorld({ allowedHosts: ["127.0.0.1"] });
    await assert.rejects(
      world.send({ method: "get", url: "http://localhost:1/", max_retry_attempts: 1_000_000 }),
      /disallowed/,
    );
  });

  it("say that nobody listens", async () => {
    const gone = await startHttpServer(echo);
    await gone.close();
    const world = createHttpSendWorld();
    const told = await world.send({ method: "get", url: `${gone.url}/x`, raise_error: false });
    assert.deepEqual(told.error, {
      code: "eval_http_send_network_error",
      message: `Get "${gone.url}/x": dial tcp 127.0.0.1:${gone.port}: connect: connection refused`,
    });
    assert.deepEqual(world.outcomes, ["unreachable"]);
  });
});

describe("connections", () => {
  it("are kept for the next request, and closed at the end", async () => {
    const sockets = new Set<unknown>();
    const kept = await startHttpServer((request, response) => {
      sockets.add(request.socket);
      response.end("x");
    });
    const world = createHttpSendWorld();
    for (const path of ["/1", "/2", "/3"]) await world.send({ method: "get", url: kept.url + path });
    assert.equal(sockets.size, 1);
    const [socket] = [...sockets] as Socket[];
    const closed = new Promise((resolve) => socket?.once("close", resolve));
    world.close();
    await closed;
    assert.equal(
      (await world.send({ method: "get", url: `${kept.url}/4` })).raw_body,
      "x",
      "an evaluation that goes on is not cut off",
    );
    await kept.close();
  });

  it("that the server has closed are no failure of the next request", async () => {
    const kept = await startHttpServer((request, response) => {
      response.end("x");
      if (request.url === "/1") setImmediate(() => request.socket.destroy());
    });
    const world = createHttpSendWorld();
    for (const path of ["/1", "/2"])
      assert.equal((await world.send({ method: "get", url: kept.url + path })).raw_body, "x");
    world.close();
    await kept.close();
  });

  it("that change their protocol are an error", async () => {
    const switching = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
      });
    });
    await new Promise<void>((resolve) => switching.listen(0, "127.0.0.1", resolve));
    const { port } = switching.address() as AddressInfo;
    const world = createHttpSendWorld();
    const headers = { connection: "upgrade", upgrade: "x" };
    await assert.rejects(world.send({ method: "get", url: `http://127.0.0.1:${port}/`, headers }), /another protocol/);
    world.close();
    switching.close();
  });
});

describe("files and variables", () => {
  it("are not read unless configuration lists them", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "http-send-"));
    t.after(() => rm(folder, { recursive: true }));
    const listed = join(folder, "listed");
    await writeFile(join(folder, "secret.pem"), "secret");
    await writeFile(listed, "no certificate");
    await symlink(join(folder, "secret.pem"), join(folder, "link"));
    const url = "https://127.0.0.1:1/";
    const ask = async (options: object, operand: object): Promise<string> => {
      const told = await createHttpSendWorld(options).send({ method: "get", url, raise_error: false, ...operand });
      return told.error?.message ?? "";
    };
    const refusal = /`svidgate\.policy\.http_send\.allowed_files` does not list it/;
    const accepted = /could not append certificates/;
    for (const [allowedFiles, file, want] of [
      [[], listed, refusal],
      [[listed], listed, accepted],
      [[listed], join(folder, "secret.pem"), refusal],
      [[listed], join(listed, "..", "secret.pem"), /ENOTDIR|does not list/],
      [[folder], join(folder, "secret.pem"), accepted],
      [[listed], join(folder, "link"), refusal],
      [[join(folder, "link")], join(folder, "secret.pem"), accepted],
      [["*"], join(folder, "secret.pem"), accepted],
      [["*"], join(folder, "missing"), /^eval_builtin_error: http\.send: open .*ENOENT/],
    ] as const) {
      assert.match(await ask({ allowedFiles }, { tls_ca_cert_file: file }), want);
    }
    const environment = { CA: "no certificate", SECRET: "s" };
    for (const [allowedEnvironment, name, want] of [
      [[], "CA", /`svidgate\.policy\.http_send\.allowed_env` does not list it/],
      [["CA"], "CA", accepted],
      [["CA"], "SECRET", /does not list it/],
      [["*"], "SECRET", accepted],
      [["*"], "NOT_SET", accepted],
    ] as const) {
      assert.match(await ask({ allowedEnvironment, environment }, { tls_ca_cert_env_variable: name }), want);
    }
  });
});
