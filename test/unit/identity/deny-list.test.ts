import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import { type DenySubject, parseDenyList, parseDenyListSteps } from "../../../src/identity/deny-list.ts";
import { parseSpiffeId } from "../../../src/identity/spiffe-id.ts";
import { createManualClock } from "../../support/manual-clock.ts";

const NOW = Date.UTC(2026, 0, 1);
const FINGERPRINT = "0123456789abcdef".repeat(4);

function spiffeId(text: string) {
  const id = parseSpiffeId(text);
  assert.ok(id.ok, text);
  return id.value;
}

/** A certificate and a token in one, so that each row below changes what it is about alone. */
const SUBJECT: DenySubject = {
  spiffeId: spiffeId("spiffe://example.org/ns/prod/sa/api"),
  fingerprintsSha256: [FINGERPRINT, "f".repeat(64)],
  issuersAndSerials: [{ issuer: "O=SPIRE\\, Inc,C=US", serial: "a1b2c3" }],
  tokenId: "token-1",
  issuedUnixMs: NOW - 3_600_000,
};

const toJson = (entry: Record<string, unknown>): string => JSON.stringify({ entries: [entry] });
const toYaml = (entry: Record<string, unknown>): string =>
  `entries:\n  - ${Object.entries(entry)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join("\n    ")}\n`;

function listOf(text: string) {
  const list = parseDenyList(text);
  assert.ok(list.ok, list.ok ? "" : list.detail);
  return list.value;
}

function problemsOf(text: string): string {
  const list = parseDenyList(text);
  assert.ok(!list.ok, "the list is refused");
  assert.equal(list.code, "deny_list_invalid");
  return list.detail ?? "";
}

const entry = (target: Record<string, unknown>) => ({ reason: "key leaked", expires: "never", ...target });
const id = (text: string): Partial<DenySubject> => ({ spiffeId: spiffeId(text) });
const SPECIAL = 'O=b\nCN=café\\, \\"x\\"\\; a\\+b\\\\';
const issuer = (name: string, serial: string): Partial<DenySubject> => ({
  issuersAndSerials: [{ issuer: name, serial }],
});

describe("a deny list", () => {
  const rows: readonly (readonly [target: Record<string, string>, subject: Partial<DenySubject>, denies: boolean])[] = [
    [{ spiffe_id: "spiffe://example.org/ns/prod/sa/api" }, {}, true],
    [{ spiffe_id: "spiffe://example.org/ns/prod/sa/api" }, id("spiffe://example.org/ns/prod/sa/api/x"), false],
    [{ spiffe_id: "spiffe://example.org/ns/prod/sa/api" }, id("spiffe://example.org/ns/prod/sa/ap"), false],
    [{ spiffe_id: "spiffe://example.org/ns/prod/sa/api" }, id("spiffe://example.org/ns/prod/sa/API"), false],
    [{ spiffe_id: "spiffe://example.org/ns/prod/sa/api" }, id("spiffe://example.com/ns/prod/sa/api"), false],

    [{ prefix: "spiffe://example.org/ns/prod/*" }, {}, true],
    [{ prefix: "spiffe://example.org/ns/prod/*" }, id("spiffe://example.org/ns/prod/x"), true],
    [{ prefix: "spiffe://example.org/ns/prod/*" }, id("spiffe://example.org/ns/production/sa/api"), false],
    [{ prefix: "spiffe://example.org/ns/prod/*" }, id("spiffe://example.org/ns/prod"), false],
    [{ prefix: "spiffe://example.org/ns/prod/*" }, id("spiffe://example.org/ns/pro/d"), false],
    [{ prefix: "spiffe://example.org/ns/prod/*" }, id("spiffe://example.org/x/ns/prod/sa"), false],
    [{ prefix: "spiffe://example.org/ns/prod/*" }, id("spiffe://example.org.evil/ns/prod/sa"), false],
    [{ prefix: "spiffe://example.org/ns/prod/sa/api/*" }, {}, false],
    [{ prefix: "spiffe://example.org/*" }, {}, true],
    [{ prefix: "spiffe://example.org/*" }, id("spiffe://example.org"), false],
    [{ prefix: "spiffe://example.org/*" }, id("spiffe://example.org.evil/a"), false],

    [{ trust_domain: "example.org" }, {}, true],
    [{ trust_domain: "example.org" }, id("spiffe://sub.example.org/a"), false],
    [{ trust_domain: "example.org" }, id("spiffe://example.orga/a"), false],

    [{ fingerprint_sha256: FINGERPRINT }, {}, true],
    [{ fingerprint_sha256: "f".repeat(64) }, {}, true],
    [{ fingerprint_sha256: FINGERPRINT.toUpperCase() }, {}, true],
    [{ fingerprint_sha256: FINGERPRINT.replace(/..(?!$)/g, "$&:") }, {}, true],
    [{ fingerprint_sha256: "0".repeat(64) }, {}, false],
    [{ fingerprint_sha256: FINGERPRINT }, { fingerprintsSha256: [] }, false],

    [{ issuer: "O=SPIRE\\, Inc,C=US", serial: "a1b2c3" }, {}, true],
    [{ issuer: "C = US, O = SPIRE\\, Inc", serial: "A1:B2:C3" }, {}, true],
    [{ issuer: "c=US,o=SPIRE\\, Inc", serial: "00a1b2c3" }, {}, true],
    [{ issuer: "O=SPIRE, Inc,C=US", serial: "a1b2c3" }, {}, false],
    [{ issuer: "O=SPIRE\\, inc,C=US", serial: "a1b2c3" }, {}, false],
    [{ issuer: "O=SPIRE\\, Inc", serial: "a1b2c3" }, {}, false],
    [{ issuer: "O=SPIRE\\, Inc,C=US", serial: "a1b2c30" }, {}, false],
    [{ issuer: "O=SPIRE\\, Inc,C=US", serial: "1b2c3" }, {}, false],
    [{ issuer: "O=SPIRE,C=US", serial: "0" }, issuer("O=SPIRE,C=US", "00"), true],
    [{ issuer: "O=SPIRE,C=US", serial: "1" }, issuer("C=US\nO=SPIRE", "01"), true],
    [{ issuer: "CN=a+OU=b,O=c", serial: "1" }, issuer("O = c, OU = b + CN = a", "1"), true],
    [{ issuer: "CN=a\\\\,O=c", serial: "1" }, issuer("O=c,CN=a\\\\", "1"), true],
    [{ issuer: "CN=a\\+b", serial: "1" }, issuer("CN=a,=b", "1"), false],
    // The same name as openssl prints it: by default and for RFC 2253.
    [{ issuer: 'O = b, CN = "caf\\C3\\A9, \\"x\\"; a+b\\\\"', serial: "1" }, issuer(SPECIAL, "1"), true],
    [{ issuer: 'CN=caf\\C3\\A9\\, \\"x\\"\\; a\\+b\\\\,O=b', serial: "1" }, issuer(SPECIAL, "1"), true],
    [{ issuer: 'CN=caf\\C3\\A8\\, \\"x\\"\\; a\\+b\\\\,O=b', serial: "1" }, issuer(SPECIAL, "1"), false],
    [{ issuer: 'CN="a,O=b"', serial: "1" }, issuer("CN=a,O=b", "1"), false],

    [{ jti: "token-1" }, {}, true],
    [{ jti: "token-1" }, { tokenId: "token-10" }, false],
    [{ jti: "token-1" }, { tokenId: "TOKEN-1" }, false],
  ];
  for (const [target, change, denies] of rows) {
    it(`${JSON.stringify(target)} ${denies ? "denies" : "leaves"} ${JSON.stringify(change)}`, () => {
      const found = (["json", "yaml"] as const).map((form) => {
        const list = listOf(form === "json" ? toJson(entry(target)) : toYaml(entry(target)));
        return list.find({ ...SUBJECT, ...change }, NOW);
      });
      assert.deepEqual(
        found.map((one) => one?.reason),
        denies ? ["key leaked", "key leaked"] : [undefined, undefined],
      );
    });
  }

  it("denies nobody when it is empty, and a credential without its optional parts by no entry about them", () => {
    assert.equal(listOf("entries: []").find(SUBJECT, NOW), undefined);
    assert.equal(listOf('{"entries":[]}').entries, 0);
    const list = listOf(
      JSON.stringify({
        entries: [
          entry({ jti: "x" }),
          entry({ fingerprint_sha256: FINGERPRINT }),
          entry({ issuer: "O=x", serial: "1" }),
        ],
      }),
    );
    assert.equal(list.find({ spiffeId: SUBJECT.spiffeId, issuedUnixMs: NOW }, NOW), undefined);
    assert.equal(list.entries, 3);
  });

  it("ends with its entry's `expires`, at that very moment", () => {
    const clock = createManualClock(NOW);
    const list = listOf(toJson({ reason: "r", trust_domain: "example.org", expires: "2026-01-01T01:00:00Z" }));
    assert.ok(list.find(SUBJECT, clock.unixMs()));
    clock.advanceMs(3_599_999);
    assert.ok(list.find(SUBJECT, clock.unixMs()));
    clock.advanceMs(1);
    assert.equal(list.find(SUBJECT, clock.unixMs()), undefined);
    assert.equal(list.entries, 1);
  });

  it("with `not_before` denies only what was issued before that", () => {
    const list = listOf(toJson(entry({ prefix: "spiffe://example.org/ns/*", not_before: "2026-01-01T00:00:00Z" })));
    const at = (issuedUnixMs: number) => list.find({ ...SUBJECT, issuedUnixMs }, NOW + 60_000)?.id;
    assert.equal(at(NOW - 1), "entry-1");
    assert.equal(at(NOW), undefined);
    assert.equal(at(NOW + 1), undefined);
    assert.equal(at(Number.NEGATIVE_INFINITY), "entry-1");
  });

  it("tells the first entry that is in force, by kind and then by place", () => {
    const text = (entries: readonly object[]): string =>
      JSON.stringify({
        entries: entries.map((one, nth) => ({ id: `INC-${nth}`, reason: "r", expires: "never", ...one })),
      });
    const found = (entries: readonly object[]): string | undefined => listOf(text(entries)).find(SUBJECT, NOW)?.id;
    const kinds = [
      { jti: "token-1" },
      { issuer: "C=US,O=SPIRE\\, Inc", serial: "a1b2c3" },
      { fingerprint_sha256: FINGERPRINT },
      { trust_domain: "example.org" },
      { prefix: "spiffe://example.org/ns/prod/*" },
      { prefix: "spiffe://example.org/*" },
      { spiffe_id: SUBJECT.spiffeId.id },
    ];
    for (let count = kinds.length; count > 0; count--) assert.equal(found(kinds.slice(0, count)), `INC-${count - 1}`);
    const expired = { trust_domain: "example.org", expires: "2025-01-01T00:00:00Z" };
    const old = { trust_domain: "example.org", not_before: "2025-01-01T00:00:00Z" };
    const domain = { trust_domain: "example.org" };
    assert.equal(found([expired, old, domain, domain]), "INC-2");
    assert.equal(found([expired, old]), undefined);
  });

  it("gives what the audit event needs of an entry", () => {
    const [text] = [toYaml({ id: "INC-7", jti: "token-1", reason: "späh", expires: "2026-02-01T00:00:00+01:00" })];
    assert.deepEqual(listOf(text).find(SUBJECT, NOW), {
      id: "INC-7",
      reason: "späh",
      kind: "jti",
      key: "token-1",
      expiresUnixMs: Date.UTC(2026, 0, 31, 23),
      issuedBeforeUnixMs: Number.POSITIVE_INFINITY,
    });
  });

  it("finds one in a hundred thousand, takes no more than those, and is read in steps", { timeout: 60_000 }, () => {
    const write = (count: number): string =>
      JSON.stringify({
        entries: Array.from({ length: count }, (_, nth) => entry({ spiffe_id: `spiffe://example.org/w/${nth}` })),
      });
    const steps = parseDenyListSteps(write(100_000));
    let count = 0;
    let step = steps.next();
    for (; !step.done; step = steps.next()) count++;
    assert.ok(step.value.ok);
    assert.ok(count > 1_000, `${count} steps`);
    const list = step.value.value;
    assert.equal(list.entries, 100_000);
    assert.equal(list.find({ ...SUBJECT, ...id("spiffe://example.org/w/99999") }, NOW)?.id, "entry-100000");
    assert.equal(list.find({ ...SUBJECT, ...id("spiffe://example.org/w/100000") }, NOW), undefined);
    assert.match(problemsOf(write(100_001)), /more than 100000 entries$/);
  });
});

describe("parseDenyList", () => {
  const fields: readonly (readonly [name: string, entry: Record<string, unknown>, problem: RegExp])[] = [
    ["no reason", { jti: "a", expires: "never" }, /`reason` is missing/],
    ["an empty reason", entry({ jti: "a", reason: "" }), /`reason` is a text/],
    ["a reason of 257 characters", entry({ jti: "a", reason: "r".repeat(257) }), /`reason` is one line/],
    ["a reason of two lines", entry({ jti: "a", reason: "a\nb" }), /`reason` is one line/],
    ["a reason with an escape sequence", entry({ jti: "a", reason: "a\u009b31m" }), /`reason` is one line/],
    ["no expiry", { jti: "a", reason: "r" }, /`expires` is missing: a date, or `never`/],
    ["an expiry that is no date", entry({ jti: "a", expires: "tomorrow" }), /`expires` is a date/],
    ["an expiry without a time", entry({ jti: "a", expires: "2026-01-01" }), /`expires` is a date/],
    ["`never` in another case", entry({ jti: "a", expires: "Never" }), /`expires` is a date/],
    ["a `not_before` that is no date", entry({ jti: "a", not_before: "never" }), /`not_before` is a date/],
    ["a misspelt field", entry({ jti: "a", notbefore: "2026-01-01T00:00:00Z" }), /`notbefore` is no field/],
    ["a bad id", entry({ jti: "a", id: "a b" }), /`id` is at most 64/],
    ["an id of 65 characters", entry({ jti: "a", id: "a".repeat(65) }), /`id` is at most 64/],
    ["nothing to deny", entry({}), /names one of .*: none is here/],
    ["two things to deny", entry({ jti: "a", trust_domain: "td" }), /here: `trust_domain`, `jti`/],
    ["an issuer alone", entry({ issuer: "O=a" }), /here: `issuer`/],
    ["a serial alone", entry({ serial: "1" }), /here: `serial`/],
    ["issuer, serial and another", entry({ issuer: "O=a", serial: "1", jti: "x" }), /here: `issuer`, `serial`, `jti`/],
    ["a number for a serial", entry({ issuer: "O=a", serial: 12 }), /`serial` is a text: put it in quotes/],
    ["a serial that is no hex", entry({ issuer: "O=a", serial: "xyz" }), /`serial` is hex/],
    ["a serial with odd colons", entry({ issuer: "O=a", serial: "1:23" }), /`serial` is hex/],
    ["an issuer that is no name", entry({ issuer: "SPIRE", serial: "1" }), /`issuer` is a distinguished name/],
    ["a SPIFFE ID that is none", entry({ spiffe_id: "example.org/a" }), /`spiffe_id` is no SPIFFE ID: scheme/],
    ["a SPIFFE ID with a wildcard", entry({ spiffe_id: "spiffe://td/a/*" }), /`spiffe_id` is no SPIFFE ID: path_char/],
    ["a trust domain's ID", entry({ spiffe_id: "spiffe://td" }), /names no workload: use `trust_domain`/],
    ["a trust domain with a scheme", entry({ trust_domain: "spiffe://td" }), /`trust_domain` is a bare name/],
    ["a trust domain with a path", entry({ trust_domain: "td/a" }), /`trust_domain` is a bare name/],
    ["a trust domain in upper case", entry({ trust_domain: "TD" }), /`trust_domain` is a bare name/],
    ["a prefix without `/*`", entry({ prefix: "spiffe://td/ns/prod" }), /`prefix` is a SPIFFE ID with/],
    ["a prefix that cuts a segment", entry({ prefix: "spiffe://td/ns/prod*" }), /`prefix` is a SPIFFE ID with/],
    ["a prefix with a wildcard inside", entry({ prefix: "spiffe://td/*/sa/*" }), /`prefix` is a SPIFFE ID with/],
    ["a prefix of everything", entry({ prefix: "/*" }), /`prefix` is a SPIFFE ID with/],
    ["a prefix of every trust domain", entry({ prefix: "spiffe:///*" }), /`prefix` is a SPIFFE ID with/],
    ["a short fingerprint", entry({ fingerprint_sha256: "ab".repeat(31) }), /`fingerprint_sha256` is 64 hex/],
    ["a SHA-1 fingerprint", entry({ fingerprint_sha256: "ab".repeat(20) }), /`fingerprint_sha256` is 64 hex/],
    ["a long `jti`", entry({ jti: "a".repeat(1025) }), /`jti` has more than 1024/],
    ["a list for a text", entry({ jti: ["a"] }), /`jti` is a text/],
    ["null for a text", entry({ jti: null }), /`jti` is a text/],
  ];
  for (const [name, fieldsOf, problem] of fields) {
    it(`refuses ${name}, in either form`, () => {
      assert.match(problemsOf(toJson(fieldsOf)), problem);
      if (Object.keys(fieldsOf).length > 0) assert.match(problemsOf(toYaml(fieldsOf)), problem);
    });
  }

  const documents: readonly (readonly [name: string, text: string, problem: string | RegExp])[] = [
    ["nothing", "", "1:1: the file is empty: a list without entries is `entries: []`"],
    ["white space", " \n\n", "1:1: the file is empty: a list without entries is `entries: []`"],
    ["a comment", "# nothing\n", /a list is a map with `entries`/],
    ["null", "null", /a list is a map with `entries`/],
    ["a bare list", "- jti: a\n", /a list is a map with `entries`/],
    ["an empty map", "{}", /^1:2: /],
    ["no entries", "other: []\n", "1:1: `other` is unknown: `entries` is the only key; 1:1: `entries` is missing"],
    ["entries without a value", "entries:\n", /`entries` is a list: without any it is `entries: \[\]`/],
    ["entries as a map", "entries: {}\n", /`entries` is a list/],
    ["another key", "entries: []\nversion: 1\n", "2:1: `version` is unknown: `entries` is the only key"],
    ["entries twice", "entries: []\nentries: []\n", "2:1: `entries` stands twice in one map"],
    ["two documents", "entries: []\n---\nentries: []\n", /^2:1: a second document/],
    ["broken YAML", "entries: [\n", /^2:1: /],
    ["a tab", "entries:\n\t- jti: a\n", /^2:1: /],
    ["an entry that is a text", "entries:\n  - spiffe://td/a\n", "2:5: an entry is a map of names and texts"],
    ["a field twice", "entries:\n  - jti: a\n    jti: b\n", "3:5: `jti` stands twice in one map"],
    ["an unknown anchor", "entries:\n  - *a\n", /^2:5: /],
    ["too much YAML", `entries: []\n#${"x".repeat(65_536)}`, /^1:1: more than 65536 characters of YAML/],
    ["JSON cut off", '{"entries":[', /^1:13: not JSON/],
    ["JSON cut off in a text", '{"entries":[{"jti":"a', /^1:20: not JSON: this text has no end/],
    ["JSON cut off behind the list", '{"entries":[]', /^1:14: not JSON/],
    ["JSON with something behind", '{"entries":[]}\n{}', "2:1: something behind the end"],
    ["JSON with another key", '{"entries":[],"version":1}', /^1:14: .*`entries` is the only key/],
    ["JSON that begins with another key", '{"version":1}', "1:2: `entries` is what a list begins with"],
    ["JSON with a name twice", '{"entries":[\n {"jti":"a","\\u006ati":"b"}]}', "2:13: `jti` stands twice in one map"],
    [
      "JSON with escaped quotes in names",
      '{"entries":[{"a\\\\":"1","a\\"b":"2"}]}',
      /`a\\` is no field.*`a"b` is no field/,
    ],
    ["JSON with a comma at the end", '{"entries":[{},]}', /^1:13: .*; 1:16: not JSON: a value is missing/],
    ["JSON with bare names", "{entries: []}", "1:2: `entries` is what a list begins with"],
    ["JSON with a raw line break", '{"entries":["\n"]}', /^1:13: not JSON: this text has a line break/],
    ["JSON with a comment", '{"entries":[/**/]}', /^1:13: not JSON/],
    ["JSON with an entry that is a list", '{"entries":[[]]}', "1:13: an entry is a map of names and texts"],
    ["JSON with an entry that is a number", '{"entries":[1e3]}', "1:13: an entry is a map of names and texts"],
    [
      "JSON with many names",
      `{"entries":[{${Array.from({ length: 33 }, (_, n) => `"n${n}":1`).join()}}]}`,
      /more than 32 names/,
    ],
    ["deep JSON", `{"entries":[${"[".repeat(100_000)}`, /^1:17: nested deeper than 4 levels/],
    ["deep YAML", `entries:\n  - a: ${"[".repeat(1_000)}`, /nested deeper/],
  ];
  for (const [name, text, problem] of documents) {
    it(`refuses ${name}`, () => {
      const told = problemsOf(text);
      if (typeof problem === "string") assert.equal(told, problem);
      else assert.match(told, problem);
    });
  }

  it("tells every problem with line and column", () => {
    const text = `entries:
  - id: A
    spiffe_id: spiffe://td/a/
    expires: soon
  - id: A
    jti: x
    reason: fine
    expires: never
  - id: A
    jti: y
    reason: fine
    expires: never
    bogus: 1
`;
    assert.equal(
      problemsOf(text),
      [
        "2:5: `reason` is missing: say why",
        "4:14: `expires` is a date such as `2026-12-01T00:00:00Z`, or `never`",
        "3:16: `spiffe_id` is no SPIFFE ID: trailing_slash",
        "13:5: `bogus` is no field of an entry",
      ].join("; "),
    );
  });

  it("tells an id that stands twice, and no more than twenty problems", () => {
    const twice = [entry({ id: "A", jti: "x" }), entry({ id: "A", jti: "y" })];
    assert.equal(problemsOf(JSON.stringify({ entries: twice })), "1:74: the id `A` stands twice");
    const told = problemsOf(JSON.stringify({ entries: Array.from({ length: 50 }, () => 1) }));
    assert.equal(told.split("; ").length, 21);
    assert.match(told, /; and more$/);
  });

  it("takes 16 entries that name the same, and not one more", () => {
    const write = (count: number): string =>
      JSON.stringify({ entries: Array.from({ length: count }, () => entry({ jti: "x" })) });
    assert.equal(listOf(write(16)).entries, 16);
    assert.match(problemsOf(write(17)), /more than 16 entries name the same$/);
  });

  it("reads every escape and every white space of JSON", () => {
    const text = '{"entries" : [\r\n\t{ "reason" : "\\u00e4\\/\\"" , "jti":"a\\\\", "expires":"never"} ] } \n';
    const list = listOf(text);
    assert.equal(list.find({ ...SUBJECT, tokenId: "a\\" }, NOW)?.reason, 'ä/"');
  });

  it("takes no beginning of a list as JSON for a list, wherever it is cut off", () => {
    const text = JSON.stringify({ entries: [entry({ jti: "a" }), entry({ trust_domain: "td" })] }, null, 1);
    for (let end = 0; end < text.length; end++) problemsOf(text.slice(0, end));
    assert.equal(listOf(text).entries, 2);
  });
});

describe("docs/deny-list.md", () => {
  const DOCUMENT = readFileSync(join(packageRoot(), "docs/deny-list.md"), "utf8");

  it("has an example that is a list", () => {
    const [example] = [...DOCUMENT.matchAll(/```yaml\n(# [\s\S]*?)```/g)].map((match) => match[1] ?? "");
    assert.equal(listOf(example ?? "").entries, 2);
  });

  it("names every field", () => {
    for (const name of ["spiffe_id", "prefix", "trust_domain", "fingerprint_sha256", "issuer", "serial", "jti"]) {
      assert.match(DOCUMENT, new RegExp(`^\\| .*\`${name}\``, "m"));
    }
    for (const name of ["reason", "expires", "not_before", "id"]) {
      assert.match(DOCUMENT, new RegExp(`^\\| \`${name}\` \\|`, "m"));
    }
  });
});
