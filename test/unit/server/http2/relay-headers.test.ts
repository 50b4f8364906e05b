import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toFields, toRequestHeaders } from "../../../../src/server/http2/relay-headers.ts";
import { toHeaderList } from "../../../support/awaited-stream.ts";

describe("toRequestHeaders", () => {
  it("keeps pseudo-headers, metadata and the deadline as they are", () => {
    const fields = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", "/x/Y"],
      [":authority", "pdp"],
      ["content-type", "application/grpc"],
      ["grpc-timeout", "20S"],
      ["trace-bin", "AAEC/w"],
      ["latin", "caf\u00e9"],
    ] as const;
    assert.deepEqual({ ...toRequestHeaders(toHeaderList(fields)) }, { ...Object.fromEntries(fields), te: "trailers" });
  });

  it("joins the lines of one name, cookies their own way", () => {
    const headers = toRequestHeaders(
      toHeaderList([
        ["a", "1"],
        ["cookie", "x=1"],
        ["a", "2"],
        ["authorization", "one"],
        ["cookie", "y=2"],
        ["authorization", "two"],
        ["a", ""],
      ]),
    );
    assert.deepEqual({ ...headers }, { a: "1, 2, ", cookie: "x=1; y=2", authorization: "one, two", te: "trailers" });
  });

  it("leaves out what is the connection's own, and what frames the message", () => {
    const names = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host", "te"];
    const list = toHeaderList([...names, "content-length", "http2-settings"].map((name) => [name, "x"] as const));
    assert.deepEqual({ ...toRequestHeaders(list) }, { te: "trailers" });
  });

  it("leaves out a deadline that no timer of Node reaches: it would have passed at once", () => {
    const kept = (timeout: string) =>
      toRequestHeaders(toHeaderList([["grpc-timeout", timeout]]))["grpc-timeout"] === timeout;
    assert.deepEqual(["2147483S", "596H", "0n", "soon"].map(kept), [true, true, true, true]);
    assert.deepEqual(["2147484S", "597H", "99999999H"].map(kept), [false, false, false]);
  });

  it("takes names that objects have by themselves", () => {
    const headers = toRequestHeaders(
      toHeaderList([
        ["__proto__", "1"],
        ["constructor", "2"],
        ["__proto__", "3"],
      ]),
    );
    assert.deepEqual(Object.keys(headers).sort(), ["__proto__", "constructor", "te"]);
    assert.equal(Object.getOwnPropertyDescriptor(headers, "__proto__")?.value, "1, 3");
  });
});

describe("toFields", () => {
  it("keeps the order and writes one line for each value", () => {
    assert.deepEqual(toFields({ ":status": "200", "set-cookie": ["a=1", "b=2"], "grpc-status": "0" }), [
      { name: ":status", value: "200" },
      { name: "set-cookie", value: "a=1" },
      { name: "set-cookie", value: "b=2" },
      { name: "grpc-status", value: "0" },
    ]);
  });
});
