import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HeaderList } from "../../../../src/server/http2/header-list.ts";
import { type FieldFault, judgeTrailers, parseRequestFraming } from "../../../../src/server/http2/request-rules.ts";

type Line = readonly [name: string, value: string];
const list = (lines: readonly Line[]): HeaderList => ({
  fields: lines.map(([name, value]) => ({ name, value })),
  bytes: lines.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0),
});

const METHOD: Line = [":method", "POST"];
const SCHEME: Line = [":scheme", "http"];
const PATH: Line = [":path", "/envoy.service.auth.v3.Authorization/Check"];
const AUTHORITY: Line = [":authority", "authz"];
const PSEUDO: readonly Line[] = [METHOD, SCHEME, PATH, AUTHORITY];
const REGULAR: readonly Line[] = [
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];
const GOOD: readonly Line[] = [...PSEUDO, ...REGULAR];
const faultOf = (lines: readonly Line[]): FieldFault | "fine" => {
  const judged = parseRequestFraming(list(lines));
  return judged.ok ? "fine" : judged.code;
};
const without = (name: string): readonly Line[] => GOOD.filter(([own]) => own !== name);
const replaced = (name: string, value: string): readonly Line[] =>
  GOOD.map((line) => (line[0] === name ? [name, value] : line));

describe("a request's pseudo-header fields", () => {
  const rows: readonly (readonly [what: string, lines: readonly Line[], fault: FieldFault | "fine"])[] = [
    ["are all there", GOOD, "fine"],
    ["come in any order", [AUTHORITY, PATH, SCHEME, METHOD, ...REGULAR], "fine"],
    ["need no regular ones after them", PSEUDO, "fine"],
    ["need no :authority", without(":authority"), "fine"],
    ["may have an empty :authority", replaced(":authority", ""), "fine"],
    ["without :method", without(":method"), "pseudo_missing"],
    ["without :scheme", without(":scheme"), "pseudo_missing"],
    ["without :path", without(":path"), "pseudo_missing"],
    ["not there at all", REGULAR, "pseudo_missing"],
    ["not there, nor anything else", [], "pseudo_missing"],
    ["with :method twice", [METHOD, ...GOOD], "pseudo_duplicate"],
    ["with :scheme twice", [SCHEME, ...GOOD], "pseudo_duplicate"],
    ["with :path twice", [PATH, ...GOOD], "pseudo_duplicate"],
    ["with :authority twice", [AUTHORITY, ...GOOD], "pseudo_duplicate"],
    ["with one of a response", [[":status", "200"], ...GOOD], "pseudo_unknown"],
    ["with one that nobody knows", [[":unknown", "x"], ...GOOD], "pseudo_unknown"],
    ["with extended CONNECT, which was not announced", [[":protocol", "websocket"], ...GOOD], "pseudo_unknown"],
    ["with a name in uppercase", [[":Method", "POST"], ...GOOD], "pseudo_unknown"],
    ["with a bare colon", [[":", "x"], ...GOOD], "pseudo_unknown"],
    ["all after a regular one", [["a", "b"], ...GOOD], "pseudo_after_regular"],
    ["one after a regular one", [METHOD, SCHEME, PATH, ...REGULAR, AUTHORITY], "pseudo_after_regular"],
    ["a duplicate after a regular one", [...GOOD, METHOD], "pseudo_after_regular"],
    ["an unknown one after a regular one", [...GOOD, [":x", "y"]], "pseudo_after_regular"],
    ["with an empty :path", replaced(":path", ""), "pseudo_value"],
    ["with a :path without a slash", replaced(":path", "Check"), "pseudo_value"],
    ["with a :path that is a URL", replaced(":path", "http://authz/Check"), "pseudo_value"],
    ["with a space in :path", replaced(":path", "/a b"), "pseudo_value"],
    ["with a tab in :path", replaced(":path", "/a\tb"), "pseudo_value"],
    ["with octets above ASCII in :path", replaced(":path", "/\xc3\xa9"), "fine"],
    ["with * for POST", replaced(":path", "*"), "pseudo_value"],
    ["with * for OPTIONS", [[":method", "OPTIONS"], SCHEME, [":path", "*"]], "fine"],
    ["with more than * for OPTIONS", [[":method", "OPTIONS"], SCHEME, [":path", "*/"]], "pseudo_value"],
    ["with an empty :method", replaced(":method", ""), "pseudo_value"],
    ["with a space in :method", replaced(":method", "PO ST"), "pseudo_value"],
    ["with a method of one's own", replaced(":method", "x-Find!"), "fine"],
    ["with an empty :scheme", replaced(":scheme", ""), "pseudo_value"],
    ["with a colon in :scheme", replaced(":scheme", "http:"), "pseudo_value"],
    ["with a scheme of one's own", replaced(":scheme", "svc+h2.x-1"), "fine"],
    ["with a line feed in :authority", replaced(":authority", "a\nb"), "field_value"],
    ["with a space before :authority", replaced(":authority", " authz"), "field_value"],
    ["of CONNECT", [[":method", "CONNECT"], AUTHORITY], "fine"],
    ["of CONNECT without :authority", [[":method", "CONNECT"]], "pseudo_missing"],
    [
      "of CONNECT with an empty :authority",
      [
        [":method", "CONNECT"],
        [":authority", ""],
      ],
      "pseudo_missing",
    ],
    ["of CONNECT with :path", [[":method", "CONNECT"], AUTHORITY, PATH], "pseudo_value"],
    ["of CONNECT with :scheme", [[":method", "CONNECT"], AUTHORITY, SCHEME], "pseudo_value"],
  ];
  for (const [what, lines, fault] of rows) {
    it(`${what}: ${fault}`, () => assert.equal(faultOf(lines), fault));
  }
});

describe("a field's octets", () => {
  it("are lower-case tokens in names, each octet tried in each place", () => {
    const allowed = "!#$%&'*+-.0123456789^_`abcdefghijklmnopqrstuvwxyz|~";
    for (let octet = 0; octet < 256; octet++) {
      const char = String.fromCharCode(octet);
      for (const name of [char, `${char}x`, `x${char}`, `x${char}x`]) {
        const fault = allowed.includes(char) ? "fine" : name.startsWith(":") ? "pseudo_after_regular" : "field_name";
        assert.equal(faultOf([...GOOD, [name, "v"]]), fault, JSON.stringify(name));
      }
    }
  });

  it("are never an empty name", () => assert.equal(faultOf([...GOOD, ["", "v"]]), "field_name"));

  it("are anything but control characters in values, and white space only inside, each octet tried in each place", () => {
    for (let octet = 0; octet < 256; octet++) {
      const char = String.fromCharCode(octet);
      const isSpace = char === " " || char === "\t";
      const isControl = (octet < 0x20 && !isSpace) || octet === 0x7f;
      for (const [value, atEnd] of [
        [char, true],
        [`${char}v`, true],
        [`v${char}`, true],
        [`v${char}v`, false],
      ] as const) {
        const fault = isControl || (isSpace && atEnd) ? "field_value" : "fine";
        assert.equal(faultOf([...GOOD, ["x", value]]), fault, JSON.stringify(value));
        assert.equal(judgeTrailers(list([["x", value]])) ?? "fine", fault, JSON.stringify(value));
      }
    }
  });

  it("may be no value at all", () => assert.equal(faultOf([...GOOD, ["x", ""]]), "fine"));
});

describe("a field that means something to the connection", () => {
  const rows: readonly (readonly [line: Line, fault: FieldFault | "fine"])[] = [
    [["connection", "close"], "connection_specific"],
    [["connection", ""], "connection_specific"],
    [["keep-alive", "timeout=5"], "connection_specific"],
    [["proxy-connection", "keep-alive"], "connection_specific"],
    [["transfer-encoding", "chunked"], "connection_specific"],
    [["upgrade", "h2c"], "connection_specific"],
    [["Connection", "close"], "field_name"],
    [["connections", "close"], "fine"],
    [["te", "trailers"], "fine"],
    [["te", "Trailers"], "fine"],
    [["te", "gzip"], "te"],
    [["te", "trailers, deflate"], "te"],
    [["te", ""], "te"],
    [["host", "elsewhere"], "fine"],
    [["cookie", "a=b"], "fine"],
    [["content-length", "0"], "fine"],
    [["content-length", "0010"], "fine"],
    [["content-length", "9007199254740991"], "fine"],
    [["content-length", "9007199254740992"], "content_length"],
    [["content-length", "9".repeat(400)], "content_length"],
    [["content-length", ""], "content_length"],
    [["content-length", "-1"], "content_length"],
    [["content-length", "+1"], "content_length"],
    [["content-length", "1.0"], "content_length"],
    [["content-length", "0x1"], "content_length"],
    [["content-length", "1e2"], "content_length"],
    [["content-length", "1, 1"], "content_length"],
    [["content-length", "1 1"], "content_length"],
    [["content-length", "\xb2"], "content_length"],
  ];
  for (const [line, fault] of rows) {
    it(`${line[0]}: ${line[1].slice(0, 30)} is ${fault}`, () => assert.equal(faultOf([...GOOD, line]), fault));
  }

  it("is told: the announced length", () => {
    const lengthOf = (lines: readonly Line[]) => {
      const judged = parseRequestFraming(list(lines));
      assert.ok(judged.ok);
      return judged.value.contentLength;
    };
    assert.equal(lengthOf(GOOD), undefined);
    assert.equal(lengthOf([...GOOD, ["content-length", "0"]]), 0);
    assert.equal(lengthOf([...GOOD, ["content-length", "0042"]]), 42);
  });

  it("is refused when the length is announced twice, also the same", () => {
    assert.equal(faultOf([...GOOD, ["content-length", "5"], ["content-length", "5"]]), "content_length");
  });
});

describe("trailers", () => {
  const rows: readonly (readonly [what: string, lines: readonly Line[], fault: FieldFault | undefined])[] = [
    ["may be empty", [], undefined],
    [
      "hold regular fields",
      [
        ["x-checksum", "1"],
        ["grpc-status", "0"],
      ],
      undefined,
    ],
    ["hold no pseudo-header field", [["x", "y"], METHOD], "pseudo_in_trailers"],
    ["hold no pseudo-header field of a response", [[":status", "200"]], "pseudo_in_trailers"],
    ["hold no uppercase", [["X-Checksum", "1"]], "field_name"],
    ["hold no empty name", [["", "1"]], "field_name"],
    ["hold nothing connection-specific", [["connection", "x"]], "connection_specific"],
    ["hold no te but trailers", [["te", "gzip"]], "te"],
    ["hold no length", [["content-length", "0"]], "content_length"],
  ];
  for (const [what, lines, fault] of rows) {
    it(`${what}: ${fault ?? "fine"}`, () => assert.equal(judgeTrailers(list(lines)), fault));
  }
});

describe("a line that comes again, from a table", () => {
  it("is looked through once when it is long, and judged the same each time", () => {
    let looks = 0;
    const value = "v".repeat(4000);
    const line = {
      name: "x-long",
      get value() {
        looks++;
        return value;
      },
    };
    const judged = () => parseRequestFraming({ fields: [...list(GOOD).fields, line, line, line], bytes: 0 }).ok;
    assert.equal(judged(), true);
    // The length alone, the second time.
    looks = 0;
    assert.equal(judged(), true);
    assert.equal(looks, 3);
    assert.equal(judgeTrailers({ fields: [line], bytes: 0 }), undefined);
  });

  it("stays malformed", () => {
    for (const line of [
      { name: "x-long", value: `${"v".repeat(4000)}\n` },
      { name: `X-${"n".repeat(4000)}`, value: "v" },
      { name: "transfer-encoding", value: "v".repeat(4000) },
      { name: "te", value: "v".repeat(4000) },
    ]) {
      const fault = judgeTrailers({ fields: [line], bytes: 0 });
      assert.notEqual(fault, undefined);
      for (let again = 0; again < 3; again++) {
        assert.equal(judgeTrailers({ fields: [line], bytes: 0 }), fault);
        assert.equal(parseRequestFraming({ fields: [...list(GOOD).fields, line], bytes: 0 }).ok, false);
      }
    }
  });

  it("says its length each time, however long that is written", () => {
    const line = { name: "content-length", value: `${"0".repeat(4000)}7` };
    for (let again = 0; again < 3; again++) {
      const judged = parseRequestFraming({ fields: [...list(GOOD).fields, line], bytes: 0 });
      assert.ok(judged.ok && judged.value.contentLength === 7);
      const twice = parseRequestFraming({ fields: [...list(GOOD).fields, line, line], bytes: 0 });
      assert.ok(!twice.ok && twice.code === "content_length");
    }
  });
});
