import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  createRequestReader,
  findMetadata,
  type GrpcEncoding,
  type GrpcKind,
  toGrpcRequest,
} from "../../../../src/server/http2/grpc-request.ts";
import type { HeaderList } from "../../../../src/server/http2/header-list.ts";
import { CHECK_PATH } from "../../../../src/server/listener.ts";
import { headerList } from "../../../support/recorded-stream.ts";

type Line = readonly [name: string, value: string];
const HEAD: readonly Line[] = [
  [":method", "POST"],
  [":path", CHECK_PATH],
  ["content-type", "application/grpc"],
];
const check = (...more: readonly Line[]): HeaderList => headerList([...HEAD, ...more]);

describe("the head of a request", () => {
  const kinds: readonly (readonly [path: string, kind: GrpcKind])[] = [
    [CHECK_PATH, "check"],
    ["/grpc.health.v1.Health/Check", "health_check"],
    ["/grpc.health.v1.Health/List", "health_list"],
    ["/grpc.health.v1.Health/Watch", "other"],
    ["/__proto__", "other"],
    ["constructor", "other"],
    ["", "other"],
  ];
  for (const [path, kind] of kinds) {
    it(`names the method: ${path || "no path"} is ${kind}`, () => {
      const request = toGrpcRequest(
        headerList([
          [":method", "POST"],
          [":path", path],
          ["content-type", "application/grpc"],
        ]),
      );
      assert.equal(request.kind, kind);
      assert.equal(request.path, path);
    });
  }

  const timeouts: readonly (readonly [lines: readonly Line[], timeoutMs: number | undefined])[] = [
    [[], Number.POSITIVE_INFINITY],
    [[["grpc-timeout", "200m"]], 200],
    [[["grpc-timeout", "0n"]], 0],
    [[["grpc-timeout", ""]], undefined],
    [[["grpc-timeout", "soon"]], undefined],
    [
      [
        ["grpc-timeout", "1S"],
        ["grpc-timeout", "1S"],
      ],
      undefined,
    ],
  ];
  for (const [lines, timeoutMs] of timeouts) {
    it(`says how long its caller waits: ${lines.map(([, value]) => `"${value}"`).join(" and ") || "no line"}`, () => {
      assert.equal(toGrpcRequest(check(...lines)).timeoutMs, timeoutMs);
    });
  }

  const encodings: readonly (readonly [lines: readonly Line[], encoding: GrpcEncoding])[] = [
    [[], "identity"],
    [[["grpc-encoding", "identity"]], "identity"],
    [[["grpc-encoding", "gzip"]], "gzip"],
    [[["grpc-encoding", "GZIP"]], "unsupported"],
    [[["grpc-encoding", "deflate"]], "unsupported"],
    [[["grpc-encoding", ""]], "unsupported"],
    [[["grpc-encoding", "gzip, identity"]], "unsupported"],
    [
      [
        ["grpc-encoding", "gzip"],
        ["grpc-encoding", "gzip"],
      ],
      "unsupported",
    ],
  ];
  for (const [lines, encoding] of encodings) {
    it(`says how it is packed: ${lines.map(([, value]) => `"${value}"`).join(" and ") || "no line"}`, () => {
      assert.equal(toGrpcRequest(check(...lines)).encoding, encoding);
    });
  }

  it("is made once for a list among the last sixteen, and again for one that has been forgotten", () => {
    const read = createRequestReader();
    const lists = Array.from({ length: 16 }, () => check());
    const heads = lists.map((list) => read(list));
    for (const list of [...lists, ...lists]) assert.equal(read(list), heads[lists.indexOf(list)]);
    read(check());
    assert.equal(read(lists[1] as HeaderList), heads[1]);
    const again = read(lists[0] as HeaderList);
    assert.notEqual(again, heads[0]);
    assert.deepEqual(again, heads[0]);
  });

  it("is never that of another list that is alike", () => {
    const read = createRequestReader();
    const [first, second] = [check(["x", "1"]), check(["x", "1"])];
    assert.equal(read(first).list, first);
    assert.equal(read(second).list, second);
    assert.equal(read(first).list, first);
  });
});

describe("a call's own metadata", () => {
  const list = check(
    ["traceparent", "00-aa-bb-01"],
    ["twice", "first"],
    ["twice", "second"],
    ["empty", ""],
    ["latin", "\xe9"],
    ["octets-bin", Buffer.from("caf\u00e9").toString("base64")],
    ["several-bin", "YQ,Yg"],
    ["te", "trailers"],
    ["grpc-timeout", "1S"],
    ["grpc-encoding", "gzip"],
    ["grpc-accept-encoding", "gzip"],
    ["accept-encoding", "gzip"],
  );
  const rows: readonly (readonly [name: string, value: string | undefined])[] = [
    ["traceparent", "00-aa-bb-01"],
    ["twice", "first"],
    ["empty", ""],
    ["missing", undefined],
    ["latin", undefined],
    ["octets-bin", "caf\u00e9"],
    ["several-bin", "a"],
    [":path", undefined],
    ["content-type", undefined],
    ["te", undefined],
    ["grpc-timeout", undefined],
    ["grpc-encoding", undefined],
    ["grpc-accept-encoding", undefined],
    ["accept-encoding", undefined],
    ["Traceparent", undefined],
  ];
  for (const [name, value] of rows) {
    it(`${name}: ${value ?? "nothing"}`, () => assert.equal(findMetadata(list, name), value));
  }
});
