import assert from "node:assert/strict";
import { it } from "node:test";
import { canonicalHost, createAllowedHosts, parseAllowedHost } from "../../../src/base/allowed-hosts.ts";

const allowed: readonly (readonly [entry: string, host: string, port: number, allows: boolean])[] = [
  ["example.org", "example.org", 80, true],
  ["example.org", "example.org", 8443, true],
  ["EXAMPLE.org.", "example.org", 80, true],
  ["example.org", "www.example.org", 80, false],
  ["example.org", "badexample.org", 80, false],
  ["example.org", "example.org.evil", 80, false],
  ["example.org:8443", "example.org", 8443, true],
  ["example.org:8443", "example.org", 443, false],
  ["*.example.org", "a.example.org", 80, true],
  ["*.example.org", "a.b.example.org", 80, true],
  ["*.example.org", "example.org", 80, false],
  ["*.example.org", "badexample.org", 80, false],
  ["*.example.org:443", "a.example.org", 443, true],
  ["*.example.org:443", "a.example.org", 80, false],
  ["*", "anything", 1, true],
  ["127.0.0.1", "127.0.0.1", 1, true],
  ["127.0.0.1", "127.0.0.2", 1, false],
  ["127.0.0.1", "2130706433", 1, false],
  ["[::1]", "::1", 80, true],
  ["[0:0::1]:80", "::1", 80, true],
  ["[::1]:80", "::1", 81, false],
  ["b\u00fccher.example", "xn--bcher-kva.example", 80, true],
  ["unix:/run/a.sock", "/run/a.sock", 80, false],
  ["unix:*", "example.org", 80, false],
];
for (const [entry, host, port, allows] of allowed) {
  it(`\`${entry}\` ${allows ? "allows" : "does not allow"} ${host}:${port}`, () => {
    assert.equal(createAllowedHosts([entry]).allows(host, port), allows);
  });
}

it("allows what any entry of the list allows, and nothing when it is empty", () => {
  const hosts = createAllowedHosts(["a.example", "b.example:1"]);
  assert.deepEqual(
    [hosts.allows("a.example", 9), hosts.allows("b.example", 1), hosts.allows("b.example", 2)],
    [true, true, false],
  );
  const none = createAllowedHosts([]);
  assert.deepEqual([none.isEmpty, none.allows("a.example", 1), none.allowsSocket("/a")], [true, false, false]);
});

it("allows a name without a port, as a look-up has none, only where the entry has none", () => {
  assert.equal(createAllowedHosts(["a.example"]).allows("a.example"), true);
  assert.equal(createAllowedHosts(["a.example:53"]).allows("a.example"), false);
});

it("allows sockets by their path, and never by `*`", () => {
  assert.equal(createAllowedHosts(["unix:/run/a.sock"]).allowsSocket("/run/a.sock"), true);
  assert.equal(createAllowedHosts(["unix:/run/a.sock"]).allowsSocket("/run/b.sock"), false);
  assert.equal(createAllowedHosts(["unix:*"]).allowsSocket("/run/b.sock"), true);
  assert.equal(createAllowedHosts(["*"]).allowsSocket("/run/b.sock"), false);
});

const refused = [
  "",
  "*.",
  "*:80",
  "**",
  "a.*.example",
  "http://example.org",
  "example.org/path",
  "user@example.org",
  "example.org:0",
  "example.org:65536",
  "example.org:",
  "a:b:c",
  "::1",
  "[::1",
  "[::1%eth0]",
  "[127.0.0.1]",
  "a b",
  "a\\b",
  "a%62",
  "..",
  "a..b",
  "*.1.2",
  "unix:",
  "unix:relative",
  `${"a".repeat(254)}`,
];
for (const entry of refused) {
  it(`refuses \`${entry.slice(0, 40)}\` as an entry`, () => {
    assert.equal(parseAllowedHost(entry).ok, false);
    assert.throws(() => createAllowedHosts([entry]), RangeError);
  });
}

it("knows no host that holds an escape, a control character or a separator", () => {
  for (let byte = 0; byte < 256; byte++) {
    const character = String.fromCharCode(byte);
    const host = canonicalHost(`a${character}b`);
    if (/[A-Za-z0-9._-]/.test(character)) assert.equal(host, `a${character}b`.toLowerCase());
    else if (byte < 0x80) assert.equal(host, undefined, `0x${byte.toString(16)}`);
    else assert.ok(host === undefined || /^[a-z0-9._-]+$/.test(host), `0x${byte.toString(16)}`);
  }
});
