// SPEC: v1/topdown/http_test.go: TestHTTPSendInterQueryCaching, …ForceCaching, …ModifiedResp, …NewResp, TestParseMaxAgeCacheDirective.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AnswerCache } from "../../../../../src/policy/builtins/http-send/answer-cache.ts";
import { cacheDirectives, freshUntilNs, mayKeep } from "../../../../../src/policy/builtins/http-send/freshness.ts";
import { type HttpAnswer, isJsonType } from "../../../../../src/policy/builtins/http-send/response.ts";
import { createHttpSendWorld, startHttpServer } from "../../../../support/http-send-world.ts";

const START = Date.UTC(2026, 0, 1);
const httpDate = (offsetSeconds: number): string => new Date(START + offsetSeconds * 1_000).toUTCString();
const answerWith = (headers: Readonly<Record<string, string>>, statusCode = 200, body = ""): HttpAnswer => ({
  status: `${statusCode}`,
  statusCode,
  headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
  body: Buffer.from(body),
});

describe("how long an answer is fresh", () => {
  const rows: readonly (readonly [headers: Readonly<Record<string, string>>, seconds: number | undefined])[] = [
    [{}, undefined],
    [{ date: httpDate(0), "cache-control": "max-age=10" }, 10],
    [{ date: httpDate(-5), "cache-control": "public, max-age=10" }, 5],
    [{ date: httpDate(0), "cache-control": " max-age = 10" }, undefined],
    [{ date: httpDate(0), "cache-control": "max-age=10", expires: httpDate(99) }, 10],
    [{ date: httpDate(0), "cache-control": "max-age=99999999999" }, 2_147_483_647],
    [{ expires: httpDate(7) }, 7],
    [{ expires: "0" }, undefined],
    [{ expires: "Thursday, 01-Jan-26 00:00:09 GMT" }, 9],
    [{ expires: "Thu Jan  1 00:00:08 2026" }, 8],
    [{ date: httpDate(0), "cache-control": "Max-Age=10" }, undefined],
  ];
  for (const [headers, seconds] of rows) {
    it(`${JSON.stringify(headers)}: ${seconds ?? "not at all"}`, () => {
      const read = (): bigint | "error" => {
        try {
          return freshUntilNs(answerWith(headers));
        } catch {
          return "error";
        }
      };
      const got = read();
      if (seconds === undefined) assert.ok(got === 0n || got === "error");
      else assert.equal(got, BigInt(START + seconds * 1_000) * 1_000_000n);
    });
  }

  it("cannot be said of an age without a date, or of one that is no number", () => {
    assert.throws(() => freshUntilNs(answerWith({ "cache-control": "max-age=10" })), /no date header/);
    assert.throws(() => freshUntilNs(answerWith({ date: httpDate(0), "cache-control": "max-age=-1" })), /ParseUint/);
    assert.throws(() => freshUntilNs(answerWith({ date: "now", "cache-control": "max-age=1" })), /no date/);
  });

  it("is said by directives as they are written", () => {
    assert.deepEqual(
      [...cacheDirectives(answerWith({ "cache-control": "a, b=c,, d=e=f , no-store" }))],
      [
        ["a", ""],
        ["b", "c"],
        ["no-store", ""],
      ],
    );
  });

  it("does not matter for what may not be kept", () => {
    for (const status of [200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501])
      assert.ok(mayKeep(answerWith({}, status), false), `${status}`);
    for (const status of [201, 302, 400, 401, 403, 500, 503])
      assert.ok(!mayKeep(answerWith({}, status), true), `${status}`);
    assert.ok(!mayKeep(answerWith({ "cache-control": "no-store" }), false));
    assert.ok(mayKeep(answerWith({ "cache-control": "no-store" }), true));
  });
});

describe("a kept answer", () => {
  /** A server whose answers count up, with these headers; 304 for what has not changed. */
  const counting = (headers: () => Readonly<Record<string, string>>, answer: () => number = () => 200) => {
    let count = 0;
    return startHttpServer((_, response) => {
      count++;
      response.writeHead(answer(), { "content-type": "application/json", ...headers() });
      response.end(JSON.stringify(count));
    });
  };

  it("is used by other decisions while it is fresh", async () => {
    const server = await counting(() => ({ date: httpDate(0), "cache-control": "max-age=10" }));
    const world = createHttpSendWorld();
    const request = { method: "get", url: server.url, cache: true };
    const ask = async (): Promise<unknown> => (await world.send(request)).body;
    assert.deepEqual([await ask(), await ask()], [1, 1]);
    world.clock.advanceMs(9_999);
    assert.equal(await ask(), 1);
    world.clock.advanceMs(1);
    assert.equal(await ask(), 2);
    assert.deepEqual(world.outcomes, ["answered", "cached", "cached", "answered"]);
    assert.equal(
      (await world.send({ ...request, cache: false })).body,
      3,
      "who does not ask for the cache gets none of it",
    );
    world.close();
    await server.close();
  });

  it("is none when it says nothing of its age, and is asked about when it can be", async () => {
    let status = 200;
    const server = await counting(
      () => ({
        etag: '"1"',
        "last-modified": httpDate(-9),
        ...(status === 304 && { date: httpDate(0), "cache-control": "max-age=5", "x-new": "1" }),
      }),
      () => status,
    );
    const world = createHttpSendWorld();
    const request = { method: "get", url: server.url, cache: true };
    assert.equal((await world.send(request)).body, 1);
    status = 304;
    const renewed = await world.send(request);
    assert.deepEqual([renewed.status_code, renewed.body, renewed.headers?.["x-new"]], [200, 1, ["1"]]);
    world.clock.advanceMs(4_000);
    assert.equal((await world.send(request)).body, 1);
    world.clock.advanceMs(1_000);
    status = 200;
    assert.equal((await world.send(request)).body, 3, "the server has another one");
    assert.deepEqual(world.outcomes, ["answered", "revalidated", "cached", "answered"]);
    world.close();
    await server.close();
  });

  it("is asked about with its validators, and without ignored headers", async () => {
    const asked: (readonly (string | undefined)[])[] = [];
    const server = await startHttpServer((request, response) => {
      const { "if-none-match": tag, "if-modified-since": since, "x-id": id, "x-kept": kept } = request.headers;
      asked.push([tag, since, String(id), String(kept)]);
      response.writeHead(200, { etag: '"1"', "last-modified": httpDate(-9) }).end("x");
    });
    const world = createHttpSendWorld();
    const request = { method: "get", url: server.url, cache: true, cache_ignored_headers: ["x-id"] };
    await world.send({ ...request, headers: { "x-id": "1", "x-kept": "k" } });
    await world.send({ ...request, headers: { "x-id": "2", "x-kept": "k" } });
    assert.deepEqual(asked, [
      [undefined, undefined, "1", "k"],
      ['"1"', httpDate(-9), "undefined", "k"],
    ]);
    world.close();
    await server.close();
  });

  it("is thrown away for what is neither new nor unchanged, and the request is made in full", async () => {
    let status = 200;
    const server = await counting(
      () => ({ etag: '"1"' }),
      () => status,
    );
    const world = createHttpSendWorld();
    const request = { method: "get", url: server.url, cache: true };
    await world.send(request);
    status = 401;
    assert.deepEqual([(await world.send(request)).status_code, server.requests.length], [401, 3]);
    world.close();
    await server.close();
  });

  it("can be forced, whatever it says", async () => {
    const server = await counting(() => ({ "cache-control": "no-store" }));
    const world = createHttpSendWorld();
    const request = { method: "get", url: server.url, force_cache: true, force_cache_duration_seconds: 300 };
    const ask = async (): Promise<unknown> => (await world.send(request)).body;
    assert.equal(await ask(), 1);
    world.clock.advanceMs(299_999);
    assert.equal(await ask(), 1);
    world.clock.advanceMs(1);
    assert.equal(await ask(), 2);
    world.close();
    await server.close();
  });

  it("is not made under a caching mode that there is not", async () => {
    const server = await counting(() => ({ date: httpDate(0), "cache-control": "max-age=10" }));
    const world = createHttpSendWorld();
    for (const [mode, second] of [
      ["serialized", 1],
      ["deserialized", 3],
      ["other", 6],
    ] as const) {
      const request = { method: "get", url: server.url, cache: true, caching_mode: mode };
      await world.send(request);
      await world.send(request);
      if (mode === "other") assert.equal((await world.send(request)).body, 5);
      else assert.ok(Number((await world.send(request)).body) <= second);
    }
    world.close();
    await server.close();
  });

  it("is another one for another request", async () => {
    const server = await counting(() => ({ date: httpDate(0), "cache-control": "max-age=10" }));
    const world = createHttpSendWorld();
    const request = { method: "get", url: server.url, cache: true };
    const bodies: unknown[] = [];
    for (const more of [{}, { headers: { a: "1" } }, { headers: { a: "2" } }, { method: "post" }, { body: 1 }, {}])
      bodies.push((await world.send({ ...request, ...more })).body);
    assert.deepEqual(bodies, [1, 2, 3, 4, 5, 1]);
    world.close();
    await server.close();
  });
});

describe("what is kept", () => {
  const kept = (bytes: number) => ({ answer: answerWith({}, 200, "x".repeat(bytes)), freshUntilNs: 1n });

  it("is bounded in bytes: what came first goes first", () => {
    const cache = new AnswerCache(4_000);
    for (const key of ["a", "b", "c"]) cache.set(key, kept(800));
    assert.deepEqual([cache.get("a") !== undefined, cache.bytes <= 4_000], [true, true]);
    cache.set("d", kept(800));
    assert.deepEqual(
      ["a", "b", "c", "d"].map((key) => cache.get(key) !== undefined),
      [false, true, true, true],
    );
    cache.set("e", kept(4_000));
    assert.deepEqual(
      [cache.get("e"), cache.get("d") !== undefined],
      [undefined, true],
      "what is larger than all of it is not kept",
    );
    for (const key of ["b", "c", "d", "d", "none"]) cache.delete(key);
    assert.equal(cache.bytes, 0);
  });

  it("is replaced by a newer answer of the same request", () => {
    const cache = new AnswerCache(4_000);
    cache.set("a", kept(100));
    const { bytes } = cache;
    cache.set("a", kept(200));
    assert.equal(cache.bytes, bytes + 100);
  });

  it("is bounded in number", () => {
    const cache = new AnswerCache(2 ** 40);
    for (let index = 0; index <= 10_000; index++) cache.set(`${index}`, kept(0));
    assert.deepEqual([cache.get("0"), cache.get("1") !== undefined], [undefined, true]);
  });
});

describe("a type of JSON", () => {
  // SPEC: TestIsJSONType.
  for (const [type, isJson] of [
    ["application/json", true],
    ["APPLICATION/JSON", true],
    ["application/json;charset=utf-8", true],
    ['application/json; a="b;c"; d=e', true],
    ["application/vnd.api+json", true],
    ["application/+json", true],
    ["text/json", false],
    ["application/jsonx", false],
    ["application/json/x", false],
    ["application/json; =x", false],
    ["", false],
  ] as const) {
    it(`${type === "" ? "nothing" : type}: ${isJson}`, () => assert.equal(isJsonType(type), isJson));
  }
});
