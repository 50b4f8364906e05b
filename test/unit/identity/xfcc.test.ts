import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import { parseXfcc, selectXfcc, type XfccElement, xfccUri } from "../../../src/identity/xfcc.ts";

interface Vectors {
  readonly context: { readonly destination_principal: string; readonly source_certificate_sha256: string };
  readonly cases: readonly {
    readonly name: string;
    readonly header: string;
    readonly elements?: number;
    readonly trusted_uri?: string | null;
    readonly last_subject?: string;
    readonly error?: string;
  }[];
}

const VECTORS = JSON.parse(readFileSync(join(packageRoot(), "test/vectors/xfcc.json"), "utf8")) as Vectors;
const H = "a".repeat(64);
const G = "b".repeat(64);
const B = "spiffe://td/ns/edge/sa/proxy";
const W = "spiffe://td/ns/default/sa/web";
const PEER = { fingerprintSha256: H, destinationPrincipal: B };

/** The code, or what the element that is bound to the peer tells. */
function read(header: string, peer = PEER): { code: string } | { uri: string | null; last: XfccElement | undefined } {
  const parsed = parseXfcc(header);
  if (!parsed.ok) return { code: parsed.code };
  const bound = selectXfcc(parsed.value, peer);
  return { uri: bound === undefined ? null : (xfccUri(bound) ?? null), last: parsed.value.at(-1) };
}
const uriOf = (header: string, peer = PEER): string | null => {
  const answer = read(header, peer);
  assert.ok("uri" in answer, `no code for ${header}`);
  return answer.uri;
};
const codeOf = (header: string): string | null => {
  const answer = read(header);
  return "code" in answer ? answer.code : null;
};

describe("parseXfcc", () => {
  it("agrees with every recorded row", () => {
    assert.ok(VECTORS.cases.length >= 20);
    const peer = {
      fingerprintSha256: VECTORS.context.source_certificate_sha256,
      destinationPrincipal: VECTORS.context.destination_principal,
    };
    for (const { name, header, elements, trusted_uri, last_subject, error } of VECTORS.cases) {
      const answer = read(header, peer);
      if (error !== undefined) {
        assert.deepEqual(answer, { code: error }, name);
        continue;
      }
      assert.ok("uri" in answer, name);
      assert.equal(answer.uri, trusted_uri, name);
      const parsed = parseXfcc(header);
      assert.equal(parsed.ok && parsed.value.length, elements, name);
      if (last_subject !== undefined) assert.equal(answer.last?.subject, last_subject, name);
    }
  });

  it("gives every field of the text form", () => {
    const parsed = parseXfcc(
      `By=${B};By=spiffe://td/second;Hash=${H};Cert="c%3D";Chain="x%3D";Subject="O=Acme\\, Inc,CN=\\"Q\\"";URI=${W};URI=;DNS=web;DNS=*.svc;X-Y=1;z="2;,"`,
    );
    assert.deepEqual(parsed, {
      ok: true,
      value: [
        {
          by: [B, "spiffe://td/second"],
          hash: H,
          cert: "c%3D",
          chain: "x%3D",
          subject: 'O=Acme\\, Inc,CN="Q"',
          uris: [W, ""],
          dns: ["web", "*.svc"],
          hasQuotedNames: false,
          unknownKeys: ["X-Y", "z"],
        },
      ],
    });
  });

  it("gives every field of the JSON form, and the names that it does not know", () => {
    const element = { by: [B], hash: H, cert: "c\n", chain: ["x", "y"], subject: "CN=a;b", uri: [W], dns: ["web"] };
    assert.deepEqual(
      parseXfcc(`  ${JSON.stringify([{ ...element, URI: ["spiffe://td/admin"], new: { a: [1] } }, {}])} `),
      {
        ok: true,
        value: [
          {
            by: [B],
            hash: H,
            cert: "c\n",
            chain: ["x", "y"],
            subject: "CN=a;b",
            uris: [W],
            dns: ["web"],
            hasQuotedNames: false,
            unknownKeys: ["URI", "new"],
          },
          {
            by: [],
            hash: undefined,
            cert: undefined,
            chain: undefined,
            subject: undefined,
            uris: [],
            dns: [],
            hasQuotedNames: false,
            unknownKeys: [],
          },
        ],
      },
    );
  });

  const bound: readonly (readonly [name: string, header: string, uri: string | null])[] = [
    ["the plain case", `By=${B};Hash=${H};URI=${W}`, W],
    ["an empty subject", `By=${B};Hash=${H};Subject="";URI=${W}`, W],
    ["a subject with commas and semicolons", `By=${B};Hash=${H};Subject="O=Acme\\, Inc,CN=a;b=c";URI=${W}`, W],
    ["an empty URI", `By=${B};Hash=${H};Subject="CN=x";URI=`, null],
    ["two URIs, the first no SPIFFE ID", `By=${B};Hash=${H};URI=https://a.test/x;URI=${W}`, null],
    ["no By", `Hash=${H};URI=${W}`, null],
    ["no URI", `By=${B};Hash=${H}`, null],
    ["no Hash", `By=${B};URI=${W}`, null],
    ["two By", `By=${B};By=${B};Hash=${H};URI=${W}`, null],
    ["By in another case", `By=${B.toUpperCase()};Hash=${H};URI=${W}`, null],
    ["By that only begins as ours", `By=${B}/x;Hash=${H};URI=${W}`, null],
    [
      "two hops",
      `By=spiffe://td/gw;Hash=${G};URI=spiffe://td/client,By=${B};Hash=${H};URI=spiffe://td/gw`,
      "spiffe://td/gw",
    ],
    ["two header lines, joined", `By=spiffe://td/gw;Hash=${G};URI=spiffe://td/c,  By=${B};Hash=${H};URI=${W}`, W],
    ["a client's element before ours", `By=${B};Hash=${H};URI=spiffe://td/admin,By=${B};Hash=${H};URI=${W}`, W],
    ["ours before a client's element", `By=${B};Hash=${H};URI=${W},By=${B};Hash=${G};URI=spiffe://td/admin`, null],
    ["a spoof that nobody touched", "URI=spiffe://td/admin", null],
    ["a spoof with a guessed By", `By=${B};Hash=${G};URI=spiffe://td/admin`, null],
    [
      "names that end the element",
      `By=${B};Hash=${H};Subject="CN=inj";URI=spiffe://td/a,By=${B};URI=spiffe://td/admin`,
      null,
    ],
    ["a DNS name that begins a URI", `By=${B};Hash=${H};URI=spiffe://td/low;DNS=x;URI=spiffe://td/admin`, null],
    ["a hash in upper case", `By=${B};Hash=${H.toUpperCase()};URI=${W}`, null],
    ["a hash in quotes", `By=${B};Hash="${H}";URI=${W}`, null],
    ["a URI in quotes, which may be a name that has quotes", `By=${B};Hash=${H};URI="${W}"`, null],
    ["a DNS name in quotes", `By=${B};Hash=${H};URI=${W};DNS="a"`, null],
    ["a By in quotes", `By="${B}";Hash=${H};URI=${W}`, null],
    ["an earlier element with quotes", `By="${B}";Hash=${G};URI="${W}",By=${B};Hash=${H};URI=${W}`, W],
    ["JSON", `[{"by":["${B}"],"hash":"${H}","uri":["${W}"],"dns":["web"]}]`, W],
    ["JSON behind a spoof", `[{"URI":["spiffe://td/admin"]},{"by":["${B}"],"hash":"${H}","uri":["${W}"]}]`, W],
    ["JSON whose names are in upper case", `[{"By":["${B}"],"Hash":"${H}","URI":["${W}"]}]`, null],
    ["an empty JSON list", "[]", null],
  ];
  for (const [name, header, uri] of bound) {
    it(`believes ${uri === null ? "nothing" : "one URI"} of ${name}`, () => assert.equal(uriOf(header), uri));
  }

  const refused: readonly (readonly [header: string, code: string])[] = [
    [`By=${B};Hash=${H};URI=spiffe://td/a";URI="spiffe://td/admin`, "stray_quote"],
    [`By=${B};Hash=${H};URI=spiffe://td/a"`, "stray_quote"],
    [`URI=spiffe://td/admin;Subject=",By=${B};Hash=${H};URI=${W}`, "unterminated_quote"],
    [`By=${B};Subject="`, "unterminated_quote"],
    [`By=${B};Subject="a\\"`, "unterminated_quote"],
    [`By=${B};Subject="a\\`, "unterminated_quote"],
    [`URI=spiffe://td/admin;Subject=",By=${B};Hash=${H};Subject="O=SPIRE";URI=${W}`, "after_quote"],
    [`By=${B};Hash=${H};Subject="a"b;URI=${W}`, "after_quote"],
    [`By=${B};Hash=${H};Subject="a" ;URI=${W}`, "after_quote"],
    [`By=${B};Hash=${H};Subject="a""b";URI=${W}`, "after_quote"],
    [`By=${B};Hash;URI=${W}`, "pair"],
    [`By=${B};Hash=${H};URI=${W},`, "pair"],
    [`By=${B};Hash=${H};URI=${W},,By=x`, "pair"],
    [`By=${B};Hash=${H};URI=${W};`, "pair"],
    [`By=${B};;Hash=${H}`, "pair"],
    [`,By=${B}`, "pair"],
    [";", "pair"],
    [" ", "pair"],
    ["=x", "pair"],
    [`By =${B}`, "pair"],
    [` By=${B};Hash=${H}`, "pair"],
    [`By=${B}; Hash=${H}`, "pair"],
    [`"By"=${B}`, "pair"],
    [`By=${B};Hash=${G};Hash=${H};URI=${W}`, "duplicate_hash"],
    [`By=${B};HASH=${H};hash=${H};URI=${W}`, "duplicate_hash"],
    [`By=${B};Hash=${H};Chain="a";URI=${W};DNS=x;Chain="b"`, "duplicate_key"],
    [`By=${B};Hash=${H};Subject="a";Subject="a"`, "duplicate_key"],
    [`By=${B};Hash=${H};Cert=a;cert=a`, "duplicate_key"],
    [`[{"URI":,By=${B};Hash=${H};URI=${W}`, "json"],
    [`[{"by":["${B}"]}],By=${B};Hash=${H};URI=${W}`, "json"],
    [`[{"hash":"${G}"}],"x":[{"hash":"${H}"}]`, "json"],
    [`[{"hash":"${G}"}]}`, "json"],
    [`[{"hash":"${G}","hash":"${H}"}]`, "json"],
    [`[{"hash":"${G}","\\u0068ash":"${H}"}]`, "json"],
    [`[{"x":{"y":1,"y":2}}]`, "json"],
    ["[", "json"],
    ["[1] [2]", "json"],
    ["[".repeat(100) + "]".repeat(100), "json"],
    [`[{"uri":["\\ud800"]}]`, "json"],
    [`[{"by":["${B}"],"hash":"${H}","uri":"${W}"}]`, "json_shape"],
    [`[{"by":"${B}"}]`, "json_shape"],
    [`[{"hash":["${H}"]}]`, "json_shape"],
    [`[{"hash":null}]`, "json_shape"],
    [`[{"uri":[1]}]`, "json_shape"],
    [`[{"chain":{}}]`, "json_shape"],
    [`[[]]`, "json_shape"],
    [`["By=${B}"]`, "json_shape"],
    ["[null]", "json_shape"],
    [`By=${B};URI=${W}\n`, "bad_char"],
    [`By=${B};URI=${W}\t`, "bad_char"],
    [`By=${B};URI=é`, "bad_char"],
    [`By=${B};URI=${W}\u007f`, "bad_char"],
    [`By=${B}\u0000`, "bad_char"],
    [`${"Hash=x,".repeat(16)}Hash=x`, "too_many"],
    [`[${"{},".repeat(16)}{}]`, "too_many"],
  ];
  for (const [header, code] of refused) {
    it(`says ${code} to ${JSON.stringify(header.length > 120 ? `${header.slice(0, 120)}…` : header)}`, () =>
      assert.equal(codeOf(header), code));
  }

  it("takes 16 elements and 64 KiB, and not one more", () => {
    assert.equal(codeOf(`${"Hash=x,".repeat(15)}Hash=x`), null);
    assert.equal(codeOf(`[${"{},".repeat(15)}{}]`), null);
    assert.equal(codeOf(`By=${"a".repeat(65_536 - 3)}`), null);
    assert.equal(codeOf(`By=${"a".repeat(65_536 - 2)}`), "too_long");
  });

  it("takes exactly the printable characters in a value, of all 256, and quotes, commas and semicolons by the grammar", () => {
    const special = new Map([
      ['"', "stray_quote"],
      [",", "pair"],
      [";", "pair"],
    ]);
    for (let byte = 0; byte < 256; byte++) {
      const char = String.fromCharCode(byte);
      const isPrintable = byte >= 0x20 && byte <= 0x7e;
      assert.equal(codeOf(`URI=a${char}b`), isPrintable ? (special.get(char) ?? null) : "bad_char", `byte ${byte}`);
      assert.equal(codeOf(`Subject="a\\${char}b"`), isPrintable ? null : "bad_char", `quoted byte ${byte}`);
    }
  });
});

describe("selectXfcc", () => {
  const header = `By=${B};Hash=${H};URI=${W}`;
  const peers: readonly (readonly [name: string, peer: typeof PEER, uri: string | null])[] = [
    ["the peer", PEER, W],
    ["another certificate", { ...PEER, fingerprintSha256: G }, null],
    ["another proxy", { ...PEER, destinationPrincipal: "spiffe://td/other" }, null],
    ["a proxy without a name", { ...PEER, destinationPrincipal: "" }, null],
    ["a fingerprint in upper case", { ...PEER, fingerprintSha256: H.toUpperCase() }, null],
  ];
  for (const [name, peer, uri] of peers) {
    it(`binds ${uri === null ? "nothing" : "the element"} to ${name}`, () => assert.equal(uriOf(header, peer), uri));
  }

  it("never takes absence for agreement", () => {
    assert.equal(uriOf(`By=;Hash=;URI=${W}`, { fingerprintSha256: "", destinationPrincipal: "" }), null);
    assert.equal(uriOf(`By=;Hash=${H};URI=${W}`, { fingerprintSha256: H, destinationPrincipal: "" }), null);
    assert.equal(uriOf(`By=${B};Hash=x;URI=${W}`, { fingerprintSha256: "x", destinationPrincipal: B }), null);
  });
});
