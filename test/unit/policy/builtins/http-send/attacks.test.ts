// What somebody tries who can put text into a URL, a header or an answer. Expected: only listed hosts are connected to, one
// request is one message, and no secret of a request is in what is raised.

import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { BuiltinError } from "../../../../../src/policy/builtins/builtin.ts";
import {
  createHttpSendWorld,
  echo,
  portOf,
  type Result,
  startHttpServer,
  type TestServer,
} from "../../../../support/http-send-world.ts";
import { makeSocketFolder } from "../../../../support/workload-api-client.ts";

/** What was raised; fails when nothing was. */
async function raised(sending: Promise<Result>): Promise<string> {
  const error = await sending.then(
    (result) => assert.fail(JSON.stringify(result)),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof BuiltinError, String(error));
  return error.message;
}

describe("a URL", () => {
  let inner: TestServer;
  before(async () => {
    inner = await startHttpServer(echo);
  });
  after(() => inner.close());

  // P is the port of a server on 127.0.0.1 that the list does not have.
  const urls = [
    "http://allowed.example@127.0.0.1:P/",
    "http://allowed.example:80@127.0.0.1:P/",
    "http://a@allowed.example@127.0.0.1:P/",
    "http://127.0.0.1:P#@allowed.example/",
    "http://127.0.0.1:P?@allowed.example/",
    "http://127.0.0.1:P\\@allowed.example/",
    "http://allowed.example%40127.0.0.1:P/",
    "http://allowed.example%00.127.0.0.1:P/",
    "http://allowed.example\n@127.0.0.1:P/",
    "http://allowed.example 127.0.0.1:P/",
    "http://[::ffff:127.0.0.1]:P/",
    "http://[::ffff:7f00:1]:P/",
    "http://[::1%25lo]:P/",
    "http://[127.0.0.1]:P/",
    "http://2130706433:P/",
    "http://0x7f000001:P/",
    "http://0x7f.1:P/",
    "http://017700000001:P/",
    "http://0177.0.0.1:P/",
    "http://127.1:P/",
    "http://0:P/",
    "http://127.0.0.1.:P/",
    "http://localhost:P/",
    "http://\uff11\uff12\uff17.0.0.1:P/",
    "http://127\u30020\u30020\u30021:P/",
    "http://allowed.example.evil.example:P/",
    "http://allowed.example..:P/",
    "http://:P/",
    "http:127.0.0.1:P",
    "http:/127.0.0.1:P/",
    "http:///127.0.0.1:P/",
    "//127.0.0.1:P/",
    "https:\\\\127.0.0.1:P/",
    "http://127.0.0.1:P:80/",
    "http://127.0.0.1:0P/",
    "file:///etc/passwd",
    "unix://127.0.0.1:P/?socket=",
    "unix://127.0.0.1:P/?socket=%2Frun%2Fdocker.sock",
    "unix://127.0.0.1:P/?sock=x",
  ];
  for (const url of urls) {
    it(`leads nowhere that is not listed: ${JSON.stringify(url)}`, async () => {
      const world = createHttpSendWorld({ allowedHosts: ["allowed.example", "*.allowed.example", "unix:/run/a.sock"] });
      const target = url.replaceAll("P", String(inner.port));
      const message = await raised(world.send({ method: "get", url: target, timeout: "2s" }));
      assert.match(
        message,
        /^disallowed host|^parse |unsupported protocol scheme|no Host in request URL|missing address/,
      );
      assert.deepEqual(inner.requests, []);
      world.close();
    });
  }

  it("of a unix socket without a path is none of a host, where all sockets may be asked", async () => {
    const world = createHttpSendWorld({ allowedHosts: ["unix:*"] });
    for (const query of ["socket=", "socket", "q=1", ""]) {
      const message = await raised(world.send({ method: "get", url: `unix://127.0.0.1:${inner.port}/?${query}` }));
      assert.match(message, /missing address|unsupported protocol scheme/);
    }
    assert.deepEqual(inner.requests, []);
  });
});

describe("a redirect", () => {
  let inner: TestServer;
  before(async () => {
    inner = await startHttpServer(echo);
  });
  after(() => inner.close());

  // P is the port of a server that the list does not have, Q that of the server that redirects.
  const locations = [
    "http://127.0.0.1:P/",
    "//127.0.0.1:P/",
    "HTTP://127.0.0.1:P/",
    "https://127.0.0.1:P/",
    "http://localhost:Q/",
    "http://127.0.0.1:Q@127.0.0.1:P/",
    "unix://localhost/?socket=%2Frun%2Fdocker.sock",
    "unix://127.0.0.1:P/?socket=",
    "file:///etc/passwd",
    "gopher://127.0.0.1:P/_GET",
    "\\\\127.0.0.1:P/x@",
  ];
  for (const location of locations) {
    it(`is followed to nothing that is not listed: ${location}`, async () => {
      let isFirst = true;
      const hop: TestServer = await startHttpServer((_, response) => {
        const to = location.replaceAll("P", String(inner.port)).replaceAll("Q", String(hop.port));
        if (isFirst) response.writeHead(302, { location: to }).end();
        else response.end("again");
        isFirst = false;
      });
      const world = createHttpSendWorld({ allowedHosts: [`127.0.0.1:${hop.port}`, "unix:/run/docker.sock"] });
      const sending = world.send({ method: "get", url: hop.url, enable_redirect: true, timeout: "2s" });
      // A backslash is no slash to Go: that one is a path of the same host.
      if (location.startsWith("\\")) assert.equal((await sending).raw_body, "again");
      else assert.match(await raised(sending), /disallowed host|unsupported protocol scheme/);
      assert.deepEqual(inner.requests, []);
      world.close();
      await hop.close();
    });
  }

  it("of a unix socket stays there, whatever host it names", async (t) => {
    const path = join(makeSocketFolder(t), "s.sock");
    const seen: string[] = [];
    const listening = createHttpServer((request, response) => {
      seen.push(`${request.headers.host} ${request.url}`);
      const next = { "/1": "/2", "/2": `http://127.0.0.1:${inner.port}/3` }[request.url ?? ""];
      if (next === undefined) response.end("end");
      else response.writeHead(302, { location: next }).end();
    });
    await new Promise<void>((resolve) => listening.listen(path, resolve));
    t.after(() => listening.close());
    const world = createHttpSendWorld({ allowedHosts: [`unix:${path}`] });
    const url = `unix://localhost/1?socket=${encodeURIComponent(path)}`;
    assert.equal((await world.send({ method: "get", url, enable_redirect: true })).raw_body, "end");
    assert.deepEqual(seen, ["localhost /1", "localhost /2", `127.0.0.1:${inner.port} /3`]);
    assert.deepEqual(inner.requests, []);
    world.close();
  });

  it("tells the next host neither password nor letters that no header may hold", async () => {
    const hop = await startHttpServer((_, response) =>
      response.writeHead(302, { location: `${inner.url}/next` }).end(),
    );
    const world = createHttpSendWorld();
    const url = `http://user:secret@127.0.0.1:${hop.port}/\u20ac`;
    const { body } = await world.send({ method: "get", url, enable_redirect: true });
    const { headers } = body as { readonly headers: Readonly<Record<string, string>> };
    assert.equal(headers["referer"], `${hop.url}/%E2%82%AC`);
    assert.doesNotMatch(JSON.stringify(body), /secret|dXNlcjpzZWNyZXQ/);
    world.close();
    await hop.close();
  });
});

describe("a message", () => {
  let server: Server;
  let seen = "";
  const sockets = new Set<Socket>();
  before(async () => {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on("data", (chunk) => {
        seen += chunk.toString("latin1");
        if (seen.includes("\r\n\r\n")) socket.end("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const send = async (operand: object): Promise<string> => {
    seen = "";
    const world = createHttpSendWorld();
    await world.send({ method: "post", url: `http://127.0.0.1:${portOf(server)}/`, ...operand });
    world.close();
    return seen;
  };
  const BREAKS = ["\r\n", "\n", "\r", "\u0000", "\r\n\r\n", "\u007f", "\u000b"];

  it("is not broken by the text of a header, a method or a URL", async () => {
    for (const text of BREAKS) {
      for (const operand of [
        { headers: { a: `x${text}y: z` } },
        { headers: { [`a${text}b`]: "x" } },
        { headers: { host: `h${text}x: y` } },
        { method: `GET / HTTP/1.1${text}x: y` },
        { method: `G${text}T` },
        { url: `http://127.0.0.1:${portOf(server)}/${text}x` },
        { url: `http://127.0.0.1:${portOf(server)}/?${text}x` },
        { url: `http://127.0.0.1:${portOf(server)}/? HTTP/1.1${text}x` },
      ]) {
        await assert.rejects(send(operand), BuiltinError, JSON.stringify(operand));
        assert.equal(seen, "", "nothing was sent");
      }
    }
    for (const letter of ["\u010d\u010a", "\u560a\u560d"]) {
      // Their low bytes are CR and LF: they go out as UTF-8 and not by their low bytes.
      const message = await send({ headers: { a: letter }, url: `http://127.0.0.1:${portOf(server)}/?${letter}` });
      const bytes = Buffer.from(letter).toString("latin1");
      assert.ok(message.startsWith(`POST /?${bytes} HTTP/1.1\r\n`) && message.includes(`\r\nA: ${bytes}\r\n`));
    }
  });

  it("is framed once, by its own length, whatever the policy says of it", async () => {
    const said = {
      "Content-Length": "0",
      "transfer-encoding": "chunked",
      "TRANSFER-ENCODING": "identity",
      trailer: "x",
    };
    for (const headers of [said, { "content-length": "5, 6" }, { "transfer-encoding": "\tchunked" }]) {
      const message = await send({ headers, raw_body: "0\r\n\r\nGET /x HTTP/1.1\r\n\r\n" });
      assert.deepEqual(message.match(/^(?:content-length|transfer-encoding|trailer):.*$/gim), ["Content-Length: 24"]);
    }
    for (const name of ["transfer-encoding ", "transfer encoding", " content-length", "content-length:"])
      await assert.rejects(send({ headers: { [name]: "1" } }), /invalid header field name/);
    const bodiless = await send({ headers: { "content-length": "7" }, method: "get" });
    assert.doesNotMatch(bodiless, /content-length/i);
  });

  it("has one Host, that is one", async () => {
    assert.deepEqual((await send({ headers: { host: "a.example", HOST: "b.example:1" } })).match(/^host:.*$/gim), [
      "Host: a.example",
    ]);
    const own = `Host: 127.0.0.1:${portOf(server)}`;
    assert.deepEqual((await send({ headers: { host: "" } })).match(/^host:.*$/gim), [own]);
    for (const host of ["a b", "a/b", "a@b", "a#b", "a?b", "a\\b", "b\u00fccher.example", "a\tb"])
      await assert.rejects(send({ headers: { host } }), /^BuiltinError: http: invalid Host header$/, host);
  });

  it("keeps a header of any name apart from JavaScript's own", async () => {
    const message = await send({ headers: { constructor: "1", __proto__x: "2", ["__proto__"]: "3" } });
    assert.ok(message.includes("\r\nConstructor: 1\r\n") && message.includes("\r\n__proto__: 3\r\n"), message);
  });
});

describe("an answer", () => {
  it("that unpacks into more than allowed is cut where the limit is", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const server = await startHttpServer((_, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
    );
    const world = createHttpSendWorld();
    const before = process.memoryUsage().arrayBuffers;
    assert.match(await raised(world.send({ method: "get", url: server.url })), /larger than 1048576 bytes$/);
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
    world.close();
    await server.close();
  });

  it("without an end is cut at the limit, and its connection is closed", async () => {
    let isClosed: Promise<unknown> | undefined;
    const server = await startHttpServer((request, response) => {
      isClosed = new Promise((resolve) => request.socket.once("close", resolve));
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(65_536), () => setImmediate(more));
      };
      response.on("error", () => undefined);
      more();
    });
    const world = createHttpSendWorld();
    assert.match(await raised(world.send({ method: "get", url: server.url })), /larger than/);
    await isClosed;
    assert.deepEqual(world.outcomes, ["too_large"]);
    await server.close();
  });

  for (const [what, head] of [
    ["headers without an end", `HTTP/1.1 200 OK\r\n${`x: ${"y".repeat(1_000)}\r\n`.repeat(100)}`],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
    ["a length and chunks", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a chunk of no number", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n"],
    ["no HTTP", "SSH-2.0-x\r\n\r\n"],
    ["broken gzip", "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope"],
    ["a header with a NUL", "HTTP/1.1 200 OK\r\nx: a\u0000b\r\n\r\n"],
  ] as const) {
    it(`is an error of the builtin: ${what}`, async () => {
      const server = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.once("data", () => socket.end(head));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const world = createHttpSendWorld();
      await raised(world.send({ method: "get", url: `http://127.0.0.1:${portOf(server)}/` }));
      assert.deepEqual(world.outcomes, ["unreachable"]);
      world.close();
      server.close();
    });
  }

  it("that says it is deeply nested, or is no JSON behind its beginning, is read in time", async () => {
    const texts = ["[".repeat(1_000_000), '{"a":'.repeat(200_000), "x".repeat(1_000_000), `"${"\\".repeat(999_999)}`];
    for (const text of texts) {
      const server = await startHttpServer((_, response) =>
        response.writeHead(200, { "content-type": "application/json" }).end(text),
      );
      const world = createHttpSendWorld();
      const startMs = performance.now();
      assert.equal((await world.send({ method: "get", url: server.url })).body, null);
      assert.ok(performance.now() - startMs < 2_000);
      world.close();
      await server.close();
    }
  });
});

describe("a kept answer", () => {
  it("is never that of another caller's headers, but for those that the policy says do not count", async () => {
    let served = 0;
    const server = await startHttpServer((_, response) => {
      served++;
      response.setHeader("cache-control", "max-age=60").setHeader("vary", "authorization").end(String(served));
    });
    const world = createHttpSendWorld();
    const ask = async (authorization: string, more: object = {}): Promise<string | undefined> => {
      const request = { method: "get", url: server.url, force_cache: true, force_cache_duration_seconds: 60, ...more };
      return (await world.send({ ...request, headers: { authorization } })).raw_body;
    };
    assert.deepEqual([await ask("a"), await ask("b"), await ask("a")], ["1", "2", "1"]);
    const ignoring = { cache_ignored_headers: ["authorization"] };
    assert.deepEqual([await ask("a", ignoring), await ask("b", ignoring)], ["3", "3"]);
    assert.deepEqual([await ask("a", { tls_server_name: "x" }), await ask("a", { method: "post" })], ["4", "5"]);
    world.close();
    await server.close();
  });
});

describe("what is raised", () => {
  const SECRET = "s3cr3t";
  it("names the host, and no query, password, header or body", async () => {
    const silent = await startHttpServer((request, response) => {
      if (request.url?.startsWith("/drop") === true) request.socket.destroy();
      if (request.url?.startsWith("/away") === true)
        response.writeHead(302, { location: `http://127.0.0.1:1/?token=${SECRET}` }).end();
    });
    const base = { method: "get", timeout: "20ms", headers: { authorization: SECRET }, raw_body: SECRET };
    const at = (rest: string): string => `http://u:${SECRET}@127.0.0.1:${silent.port}${rest}`;
    const operands: readonly object[] = [
      { url: at(`/slow?token=${SECRET}`) },
      { url: at(`/drop?token=${SECRET}`) },
      { url: at(`/drop?a@b=${SECRET}`) },
      { url: `http://127.0.0.1:1/?token=${SECRET}` },
      { url: `http://127.0.0.1:${silent.port}/away?token=${SECRET}`, enable_redirect: true },
      { url: `foo://u:${SECRET}@h/?token=${SECRET}` },
      { url: `http:u:${SECRET}@h` },
      { url: `http://u:${SECRET}?x@h/` },
      { url: `http://u:${SECRET}/x@h/` },
      { url: `http://u:${SECRET}#x@h/` },
      { url: `http://u:${SECRET}@h h/?token=${SECRET}` },
      { url: `http://h/%zz?token=${SECRET}` },
      { url: `http://h/\n?token=${SECRET}` },
      { url: `http://u:${SECRET} @h/` },
      { url: `unix://h/?token=${SECRET}&socket=` },
      { url: at("/"), headers: { authorization: [SECRET] } },
      { url: at("/"), headers: { authorization: { a: SECRET } } },
      { url: at("/"), headers: { authorization: `${SECRET}\n` } },
      { url: at("/"), tls_client_cert: SECRET, tls_client_key: SECRET, tls_ca_cert: SECRET, method: "g t" },
      { url: "https://127.0.0.1:1/", tls_client_cert: SECRET, tls_client_key: SECRET },
      { url: "https://127.0.0.1:1/", tls_ca_cert: SECRET },
    ];
    const world = createHttpSendWorld();
    for (const operand of operands) {
      const message = await raised(world.send({ ...base, ...operand }));
      assert.ok(!message.includes(SECRET), message);
    }
    const refusing = createHttpSendWorld({ allowedHosts: ["other.example"] });
    const message = await raised(refusing.send({ ...base, url: at(`/?token=${SECRET}`) }));
    assert.ok(!message.includes(SECRET) && !refusing.refused.join().includes(SECRET), message);
    world.close();
    await silent.close();
  });

  it("names the path, colons and all", async () => {
    const world = createHttpSendWorld();
    for (const [url, shown] of [
      ["http://127.0.0.1:1/a:b?q#f", "http://127.0.0.1:1/a:b?***"],
      ["http://u:p@127.0.0.1:1", "http://***@127.0.0.1:1"],
      ["http://[::1]:1/x", "http://[::1]:1/x"],
    ] as const)
      assert.ok((await raised(world.send({ method: "get", url }))).startsWith(`Get "${shown}": dial tcp`), url);
  });

  it("is short, however long the URL is", async () => {
    const world = createHttpSendWorld();
    const long = "x".repeat(500_000);
    for (const url of [`http://127.0.0.1:1/${long}`, `foo:${long}`, `http://h/${long}%zz`, `http://${long}/`])
      assert.ok((await raised(world.send({ method: "get", url }))).length < 2_000);
  });

  it("keeps the whole URL for a policy that looks at the error itself, as in OPA", async () => {
    const world = createHttpSendWorld();
    const { error } = await world.send({ method: "get", url: "http://127.0.0.1:1/?q=1", raise_error: false });
    assert.match(error?.message ?? "", /^Get "http:\/\/127\.0\.0\.1:1\/\?q=1": dial tcp/);
  });
});
