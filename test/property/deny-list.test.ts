import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { parseDenyList } from "../../src/identity/deny-list.ts";
import { parseSpiffeId, type SpiffeId } from "../../src/identity/spiffe-id.ts";

const SETTINGS = { seed: 20260101, numRuns: 500 } as const;
const NOW = Date.UTC(2026, 0, 1);

const segment = fc.constantFrom("a", "ab", "b", "ns", "prod", "production", ".a", "A");
const id: fc.Arbitrary<SpiffeId> = fc
  .tuple(fc.constantFrom("td", "td2", "td.a"), fc.array(segment, { minLength: 1, maxLength: 4 }))
  .map(([trustDomain, segments]) => {
    const parsed = parseSpiffeId(`spiffe://${trustDomain}/${segments.join("/")}`);
    assert.ok(parsed.ok);
    return parsed.value;
  });

it("a prefix denies exactly the IDs that have all its segments and more", () => {
  const prefixes = fc.array(id, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(prefixes, id, (denied, subject) => {
      const entries = denied.map((one) => ({ prefix: `${one.id}/*`, reason: "r", expires: "never" }));
      const list = parseDenyList(JSON.stringify({ entries }));
      assert.ok(list.ok);
      const wanted = denied.some(({ id: prefix }) => {
        const [all, some] = [subject.id.split("/"), prefix.split("/")];
        return all.length > some.length && some.every((part, at) => part === all[at]);
      });
      assert.equal(list.value.find({ spiffeId: subject, issuedUnixMs: NOW }, NOW) !== undefined, wanted);
    }),
    SETTINGS,
  );
});

it("no text makes the parser throw, and what is refused is refused with a place", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json().map((json) => `{"entries":${json}}`),
    fc.json().map((json) => `entries: ${json}`),
    fc.string().map((yaml) => `entries:\n  - ${yaml}`),
  );
  fc.assert(
    fc.property(text, (source) => {
      const list = parseDenyList(source);
      if (!list.ok) assert.match(list.detail ?? "", /^\d+:\d+: ./);
      else assert.equal(list.value.entries, 0);
    }),
    { ...SETTINGS, numRuns: 2_000 },
  );
});

it("JSON is taken exactly where JSON.parse takes it, as the same value", () => {
  // Entries are not valid here: the only question is whether the reader stops at the document or at its entries.
  fc.assert(
    fc.property(
      fc.json({ maxDepth: 2 }),
      fc.nat(),
      fc.constantFrom("", '"', ",", "]", "}", "\\", "1", " "),
      (json, at, put) => {
        const cut = at % (json.length + 1);
        const source = `{"entries":[${json.slice(0, cut)}${put}${json.slice(cut)}]}`;
        const list = parseDenyList(source);
        const told = list.ok ? "" : (list.detail ?? "");
        const isSyntax = /not JSON|behind the end|stands twice/.test(told);
        assert.equal(isSyntax, !isStrictJson(source), `${source}: ${told}`);
      },
    ),
    { ...SETTINGS, numRuns: 2_000 },
  );
});

/** What `JSON.parse` takes with no name twice: it keeps one of two, so that names get fewer. */
function isStrictJson(text: string): boolean {
  const count = (value: unknown): number => {
    if (typeof value !== "object" || value === null) return 0;
    const below = Object.values(value).reduce((sum: number, one) => sum + count(one), 0);
    return below + (Array.isArray(value) ? 0 : Object.keys(value).length);
  };
  try {
    const bare = text.replace(/"(?:[^"\\]|\\.)*"/g, "S");
    return count(JSON.parse(text)) === (bare.match(/S\s*:/g) ?? []).length;
  } catch {
    return false;
  }
}
