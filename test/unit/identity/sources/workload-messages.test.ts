// Our reading of the messages is compared with what a protobuf library writes by the definition in proto/.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { message, messageField, presentStringField, uint32Field } from "../../../../src/base/protobuf-fields.ts";
import {
  parseJwtBundles,
  parseX509Bundles,
  parseX509Svids,
  splitCertificates,
} from "../../../../src/identity/sources/workload-messages.ts";
import { jwtBundles, x509Bundles, x509Svids } from "../../../support/workload-api-server.ts";

const SEED = 20261122;
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const key = (text: string): Uint8Array => presentStringField(1, text);
const value = (content: Uint8Array): Uint8Array => messageField(2, content);
const A = Buffer.from("a");
const B = Buffer.from("b");

/** The parsed map with its values as plain arrays, or the code. */
function plain(parsed: ReturnType<typeof parseX509Bundles>): unknown {
  return parsed.ok ? Object.fromEntries([...parsed.value].map(([id, held]) => [id, [...held]])) : parsed.code;
}

describe("bundles", () => {
  it("are what the proto library writes", () => {
    const name = fc.stringMatching(/^spiffe:\/\/[a-z.]{1,20}$/);
    const bundles = fc.dictionary(name, fc.uint8Array({ maxLength: 50 }), { minKeys: 1, maxKeys: 8 });
    fc.assert(
      fc.property(bundles, (written) => {
        const expected = Object.fromEntries(Object.entries(written).map(([id, held]) => [id, [...held]]));
        assert.deepEqual(plain(parseX509Bundles(x509Bundles(written))), expected);
        const texts = Object.fromEntries(Object.keys(written).map((id) => [id, `{"keys":"${id}"}`]));
        assert.deepEqual(
          plain(parseJwtBundles(jwtBundles(texts))),
          Object.fromEntries(Object.entries(texts).map(([id, text]) => [id, [...Buffer.from(text)]])),
        );
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  for (const [why, written, expected] of [
    [
      "of two with one key, the last",
      message(messageField(2, key("x"), value(A)), messageField(2, key("x"), value(B))),
      { x: [98] },
    ],
    ["an entry without a key, as an empty one", message(messageField(2, value(A))), { "": [97] }],
    ["an entry without a value, as an empty one", message(messageField(2, key("x"))), { x: [] }],
    ["a value before its key", message(messageField(2, value(A), key("x"))), { x: [97] }],
    [
      "beside revocation lists and fields of the future",
      message(
        messageField(1, A),
        messageField(2, key("x"), value(A), uint32Field(9, 7)),
        uint32Field(8, 5),
        messageField(77, B),
      ),
      { x: [97] },
    ],
    ["but not with another wire type", message(uint32Field(2, 5)), "no_bundles"],
    ["but not from nothing", new Uint8Array(0), "no_bundles"],
    ["but not from a message of the other kind", jwtBundles({ "spiffe://a": "{}" }), "no_bundles"],
    [
      "but not with a key that is not UTF-8",
      message(messageField(2, messageField(1, Buffer.of(0xff)), value(A))),
      "not_protobuf",
    ],
    ["but not with a length beyond the end", bytes("12 05 0a0178"), "not_protobuf"],
    ["but not with an inner length beyond its entry", bytes("12 03 0a0578 0a0178"), "not_protobuf"],
    ["but not with a tag that never ends", bytes("ffffffffffffffffffffff"), "not_protobuf"],
    ["but not with field number 0", bytes("02 00"), "not_protobuf"],
  ] as const) {
    it(`are taken ${why}`, () => {
      assert.deepEqual(plain(parseX509Bundles(written)), expected);
    });
  }

  it("are at most 1,000", () => {
    const many = (count: number): Uint8Array =>
      message(...Array.from({ length: count }, (_, index) => messageField(2, key(`spiffe://td${index}`), value(A))));
    const most = parseX509Bundles(many(1_000));
    assert.equal(most.ok && most.value.size, 1_000);
    assert.equal(plain(parseX509Bundles(many(1_001))), "too_many");
  });
});

describe("identities", () => {
  const one = { spiffe_id: "spiffe://a/b", x509_svid: A, x509_svid_key: B, bundle: A, hint: "h" };
  it("are what the proto library writes, in order", () => {
    const parsed = parseX509Svids(x509Svids(one, { ...one, spiffe_id: "spiffe://a/c", hint: "" }));
    assert.ok(parsed.ok);
    assert.deepEqual(
      parsed.value.map((svid) => ({ ...svid, certificates: [...svid.certificates], privateKey: [...svid.privateKey] })),
      [
        { spiffeId: "spiffe://a/b", certificates: [97], privateKey: [98], hint: "h" },
        { spiffeId: "spiffe://a/c", certificates: [97], privateKey: [98], hint: "" },
      ],
    );
  });

  for (const [why, written, code] of [
    ["are mandatory", new Uint8Array(0), "no_svids"],
    ["have an ID in UTF-8", message(messageField(1, messageField(1, Buffer.of(0xc0)))), "not_protobuf"],
    ["have a hint in UTF-8", message(messageField(1, messageField(5, Buffer.of(0xc0)))), "not_protobuf"],
    ["are whole", x509Svids(one).subarray(0, -1), "not_protobuf"],
    ["are at most 1,000", message(...Array.from({ length: 1_001 }, () => messageField(1))), "too_many"],
  ] as const) {
    it(why, () => {
      const parsed = parseX509Svids(written);
      assert.equal(parsed.ok ? "ok" : parsed.code, code);
    });
  }
});

describe("any bytes", () => {
  it("are read or refused, and never throw", () => {
    const good = [
      x509Bundles({ "spiffe://a": A, "spiffe://b": B }),
      x509Svids({ spiffe_id: "x", x509_svid: A, x509_svid_key: B }),
    ];
    const mutated = fc
      .tuple(fc.constantFrom(...good), fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean())
      .map(([original, at, byte, isCut]) => {
        const copy = Uint8Array.from(original);
        copy[at % copy.length] = byte;
        return isCut ? copy.subarray(0, at % copy.length) : copy;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 64 })), (input) => {
        for (const parse of [parseX509Bundles, parseJwtBundles, parseX509Svids, splitCertificates]) {
          const parsed = parse(input);
          if (!parsed.ok) assert.match(parsed.code, /^(not_protobuf|no_bundles|no_svids|too_many|not_der)$/);
        }
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });
});

describe("certificates one after the other", () => {
  const split = (hex: string): unknown => {
    const parsed = splitCertificates(bytes(hex));
    return parsed.ok ? parsed.value.map((der) => Buffer.from(der).toString("hex")) : parsed.code;
  };
  for (const [why, hex, expected] of [
    ["none", "", []],
    ["one", "3003020101", ["3003020101"]],
    ["two", "3003020101 3000", ["3003020101", "3000"]],
    ["one with a long length", `3081 80 ${"00".repeat(128)}`, [`308180${"00".repeat(128)}`]],
    ["not with a byte behind", "3003020101 00", "not_der"],
    ["not cut short", "30030201", "not_der"],
    ["not something else in front", "0500 3000", "not_der"],
    ["not with a length that could be shorter", "308103020101", "not_der"],
    ["not with an indefinite length", "3080 0000", "not_der"],
    ["not with a length of four octets", "3084 00000003 020101", "not_der"],
  ] as const) {
    it(`are split: ${why}`, () => assert.deepEqual(split(hex), expected));
  }

  it("are at most 100", () => {
    assert.equal((split("3000".repeat(100)) as unknown[]).length, 100);
    assert.equal(split("3000".repeat(101)), "too_many");
  });
});
