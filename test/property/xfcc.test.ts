import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { parseXfcc, selectXfcc, type XfccElement, xfccUri } from "../../src/identity/xfcc.ts";
import { xfccChainDers } from "../../src/identity/xfcc-chain.ts";

const SETTINGS = { seed: 20260101, numRuns: 500 } as const;
const HASH = "a".repeat(64);
const PROXY = "spiffe://td/ns/edge/sa/proxy";
const PEER = { fingerprintSha256: HASH, destinationPrincipal: PROXY };

/** Text that is made to confuse: the grammar's own characters and words. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '"',
        ",",
        ";",
        "=",
        "\\",
        "[",
        "{",
        "]",
        "}",
        " ",
        ":",
        "%",
        "URI=",
        "By=",
        "Hash=",
        "DNS=",
        "Chain=",
      ),
      fc.constantFrom(`By=${PROXY}`, `Hash=${"b".repeat(64)}`, "URI=spiffe://td/admin", '"uri":["spiffe://td/admin"]'),
      fc.string({ unit: "grapheme-ascii", maxLength: 6 }),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(""));
const bare = fc.string({ unit: fc.constantFrom(..."abcXYZ019:/.-_=\\ +%[]{}"), maxLength: 20 });
/** A distinguished name as it is read: escapes are whole, quotes bare. */
const subject = fc.array(fc.constantFrom("a", "CN=", ",", ";", " ", "\\,", "\\\\", '"'), { maxLength: 8 });

const element: fc.Arbitrary<XfccElement> = fc.record({
  by: fc.array(bare, { maxLength: 2 }),
  hash: bare,
  cert: fc.option(bare, { nil: undefined }),
  chain: fc.option(bare, { nil: undefined }),
  subject: fc.option(
    subject.map((pieces) => pieces.join("")),
    { nil: undefined },
  ),
  uris: fc.array(bare, { maxLength: 2 }),
  dns: fc.array(bare, { maxLength: 2 }),
  hasQuotedNames: fc.constant(false),
  unknownKeys: fc.constant([]),
});

/** As Envoy writes: in this order, `Cert`, `Chain` and `Subject` in quotes, names unescaped. `quoted` is the subject's text. */
function printText({ by, hash, cert, chain, uris, dns, subject: dn }: XfccElement): string {
  // Of a backslash and what it escapes nothing is changed; a bare quote gets one.
  const quoted = dn?.replace(/\\[\s\S]|"/g, (piece) => (piece === '"' ? '\\"' : piece));
  return [
    ...by.map((value) => `By=${value}`),
    ...(hash === undefined ? [] : [`Hash=${hash}`]),
    ...(cert === undefined ? [] : [`Cert="${cert.replaceAll("\\", "%5C")}"`]),
    ...(chain === undefined ? [] : [`Chain="${String(chain).replaceAll("\\", "%5C")}"`]),
    ...(quoted === undefined ? [] : [`Subject="${quoted}"`]),
    ...uris.map((value) => `URI=${value}`),
    ...dns.map((value) => `DNS=${value}`),
  ].join(";");
}

/** Envoy URL-encodes PEM, so no backslash stands there. */
const asWritten = (original: XfccElement): XfccElement => ({
  ...original,
  cert: original.cert?.replaceAll("\\", "%5C"),
  chain: original.chain === undefined ? undefined : String(original.chain).replaceAll("\\", "%5C"),
});

it("no text makes the parser throw, and what it takes can be asked everything", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        hostile,
        fc.string({ unit: "binary" }),
        fc.json().map((json) => `[${json}`),
      ),
      (header) => {
        const parsed = parseXfcc(header);
        if (!parsed.ok) return;
        for (const one of parsed.value) xfccChainDers(one);
        assert.equal(selectXfcc(parsed.value, PEER), undefined);
      },
    ),
    { ...SETTINGS, numRuns: 5_000 },
  );
});

it("reading what Envoy writes as text gives the same elements", () => {
  fc.assert(
    fc.property(fc.array(element, { minLength: 1, maxLength: 4 }), fc.constantFrom(",", ", "), (elements, comma) => {
      const parsed = parseXfcc(elements.map(printText).join(comma));
      assert.deepEqual(parsed, { ok: true, value: elements.map(asWritten) });
    }),
    SETTINGS,
  );
});

it("reading what Envoy writes as JSON gives the same elements", () => {
  fc.assert(
    fc.property(fc.array(element, { maxLength: 4 }), (elements) => {
      const chains = elements.map((one) => ({
        ...one,
        chain: one.chain === undefined ? undefined : [String(one.chain)],
      }));
      const header = JSON.stringify(
        chains.map(({ by, hash, cert, chain, subject: dn, uris, dns }) => ({
          by,
          hash,
          cert,
          chain,
          subject: dn,
          uri: uris,
          dns,
        })),
      );
      assert.deepEqual(parseXfcc(header), { ok: true, value: chains });
    }),
    SETTINGS,
  );
});

it("names in a certificate never make another URI of the element that its own proxy writes", () => {
  // Whoever asks for a certificate can choose its names, but not make it contain its own hash.
  const names = fc.record({ uri: hostile, dns: fc.array(hostile, { maxLength: 3 }), subject: hostile });
  let bindings = 0;
  fc.assert(
    fc.property(hostile, names, (before, { uri, dns, subject: dn }) => {
      const own = {
        by: [PROXY],
        hash: HASH,
        cert: undefined,
        chain: undefined,
        uris: [uri],
        dns,
        hasQuotedNames: false,
        unknownKeys: [],
      };
      // RFC 4514 puts a backslash before each of these.
      const written = printText({ ...own, subject: undefined }).replace(
        ";URI=",
        () => `;Subject="${dn.replace(/[\\",;=]/g, "\\$&")}";URI=`,
      );
      for (const header of [written, `${before},${written}`]) {
        const parsed = parseXfcc(header);
        if (!parsed.ok) continue;
        const bound = selectXfcc(parsed.value, PEER);
        if (bound !== undefined) bindings++;
        const told = bound === undefined ? undefined : xfccUri(bound);
        // A name that ends early tells its beginning: a path segment short, a name of nobody or of another, but never one that
        // the text behind its end chose.
        assert.ok(told === undefined || uri.startsWith(told), `${told} of ${header}`);
      }
    }),
    { ...SETTINGS, numRuns: 5_000 },
  );
  assert.ok(bindings > 100, `only ${bindings} elements were bound at all`);
});
