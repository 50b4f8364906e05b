import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { parseXfcc } from "../../../src/identity/xfcc.ts";
import { xfccChainDers } from "../../../src/identity/xfcc-chain.ts";

const LEAF = Buffer.from([0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 1, 2]);
const HASH = createHash("sha256").update(LEAF).digest("hex");
const candidate = (nth: number): Buffer => Buffer.from(`candidate ${nth} ${"x".repeat(60)}`);

function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** As Envoy encodes: these characters and no others. */
const toUrl = (pem: string): string =>
  pem.replace(/[ \n/+=]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);

const CHAINS = { text: (pems: readonly string[]) => textHeader(toUrl(pems.join(""))), json: jsonHeader };

function textHeader(chain: string, hash = HASH): string {
  return `By=spiffe://td/p;Hash=${hash};Chain="${chain}";URI=spiffe://td/w`;
}

function jsonHeader(chain: readonly string[], hash = HASH): string {
  return JSON.stringify([{ by: ["spiffe://td/p"], hash, chain, uri: ["spiffe://td/w"] }]);
}

function chainOf(header: string): readonly Uint8Array[] | undefined {
  const parsed = parseXfcc(header);
  assert.ok(parsed.ok, "the header is well-formed");
  const [element] = parsed.value;
  assert.ok(element);
  return xfccChainDers(element);
}

describe("xfccChainDers", () => {
  for (const [form, write] of Object.entries(CHAINS)) {
    const headerOf = (ders: readonly Uint8Array[]): string => write(ders.map(toPem));

    it(`gives what follows the leaf, in order (${form})`, () => {
      const candidates = [candidate(1), candidate(2)];
      assert.deepEqual(chainOf(headerOf([LEAF, ...candidates])), candidates);
      assert.deepEqual(chainOf(headerOf([LEAF])), []);
    });

    it(`gives 8 candidates, and none of 9 (${form})`, () => {
      const candidates = Array.from({ length: 9 }, (_, nth) => candidate(nth));
      assert.equal(chainOf(headerOf([LEAF, ...candidates.slice(1)]))?.length, 8);
      assert.equal(chainOf(headerOf([LEAF, ...candidates])), undefined);
    });

    it(`gives nothing when the first certificate is not the one of the Hash (${form})`, () => {
      assert.equal(chainOf(headerOf([candidate(1), LEAF])), undefined);
    });

    it(`takes certificates of 16 KiB, and no larger (${form})`, () => {
      assert.equal(chainOf(headerOf([LEAF, Buffer.alloc(16_384)]))?.length, 1);
      assert.equal(chainOf(headerOf([LEAF, Buffer.alloc(16_385)])), undefined);
    });
  }

  const leaf = toPem(LEAF);
  const wrong: readonly (readonly [name: string, pem: string])[] = [
    ["nothing", ""],
    ["no PEM", "x"],
    ["text before", `x${leaf}`],
    ["text between", `${leaf}x${leaf}`],
    ["text behind", `${leaf}x`],
    ["another label", leaf.replaceAll("CERTIFICATE", "PRIVATE KEY")],
    ["no end", leaf.slice(0, 40)],
    ["an end of another kind", leaf.replace("-----END CERTIFICATE", "-----END X")],
    ["an empty block", `${leaf}-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n`],
    ["characters that are no base64", leaf.replace("\n", "\n*")],
    ["base64 with the URL alphabet", leaf.replace(/[+/]/g, "_")],
    ["padding in the middle", leaf.replace("\n", "\n=")],
  ];
  for (const [name, pem] of wrong) {
    it(`gives nothing for ${name}`, () => {
      assert.equal(chainOf(textHeader(toUrl(pem))), undefined);
      assert.equal(chainOf(jsonHeader([pem])), undefined);
    });
  }

  it("gives nothing for a broken URL encoding, and keeps `+` a `+`", () => {
    assert.equal(chainOf(textHeader(`${toUrl(leaf)}%`)), undefined);
    assert.equal(chainOf(textHeader(`${toUrl(leaf)}%ff`)), undefined);
    assert.ok(leaf.includes("+"), "the leaf has a plus in base64");
    assert.deepEqual(chainOf(textHeader(toUrl(leaf).replaceAll("%2B", "+"))), []);
  });

  it("gives nothing without Chain, and without Hash", () => {
    assert.equal(chainOf(`By=spiffe://td/p;Hash=${HASH};URI=spiffe://td/w`), undefined);
    assert.equal(chainOf(`Chain="${toUrl(leaf)}"`), undefined);
    assert.equal(chainOf(jsonHeader([])), undefined);
  });
});
