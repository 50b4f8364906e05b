import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseWorkloadApiAddress } from "../../../../src/identity/sources/workload-api-address.ts";

describe("the address of a Workload API", () => {
  for (const [text, target] of [
    ["unix:///run/spire/agent.sock", "unix:/run/spire/agent.sock"],
    ["unix:/run/spire/agent.sock", "unix:/run/spire/agent.sock"],
    ["unix:///a", "unix:/a"],
    [`unix://${`/${"a".repeat(106)}`}`, `unix:/${"a".repeat(106)}`],
    ["tcp://127.0.0.1:8000", "ipv4:127.0.0.1:8000"],
    ["tcp://10.1.2.3:65535", "ipv4:10.1.2.3:65535"],
    ["tcp://[::1]:8000", "ipv6:[::1]:8000"],
    ["tcp://[fe80::1:2]:1", "ipv6:[fe80::1:2]:1"],
  ] as const) {
    it(`may be ${text.slice(0, 40)}`, () => {
      assert.deepEqual(parseWorkloadApiAddress(text), { ok: true, value: { text, target } });
    });
  }

  for (const [why, text, advice] of [
    ["nothing", "", /write `unix:\/\/\/path/],
    ["a path alone", "/run/spire/agent.sock", /write `unix:\/\/\/path/],
    ["an address without a scheme", "127.0.0.1:8000", /write `unix:\/\/\/path/],
    ["another scheme", "http://127.0.0.1:8000", /`tcp:\/\/IP:PORT`/],
    ["a scheme in capitals", "UNIX:///run/a.sock", /write `unix:\/\/\/path/],
    ["a scheme after a space", " unix:///run/a.sock", /write `unix:\/\/\/path/],
    ["a unix address with an authority", "unix://run/a.sock", /absolute path/],
    ["a unix address with a relative path", "unix:run/a.sock", /absolute path/],
    ["a unix address without a path", "unix://", /absolute path/],
    ["a folder's root", "unix:///", /absolute path/],
    ["an empty first segment", "unix:////run/a.sock", /absolute path/],
    ["a query", "unix:///run/a.sock?x=1", /may not hold/],
    ["a fragment", "unix:///run/a.sock#x", /may not hold/],
    ["percent-encoding", "unix:///run/%61.sock", /may not hold/],
    ["a space", "unix:///run/a b.sock", /may not hold/],
    ["a line feed at the end", "unix:///run/a.sock\n", /may not hold/],
    ["a NUL", "unix:///run/a\0.sock", /may not hold/],
    ["letters beyond ASCII", "unix:///run/ä.sock", /may not hold/],
    ["a path that no socket can have", `unix:///${"a".repeat(107)}`, /at most 107 bytes/],
    ["a name", "tcp://localhost:8000", /an IP address, not a name/],
    ["no port", "tcp://127.0.0.1", /a port from 1 to 65535/],
    ["an empty port", "tcp://127.0.0.1:", /a port from 1 to 65535/],
    ["port 0", "tcp://127.0.0.1:0", /a port from 1 to 65535/],
    ["port 65536", "tcp://127.0.0.1:65536", /a port from 1 to 65535/],
    ["a port with a leading zero", "tcp://127.0.0.1:080", /a port from 1 to 65535/],
    ["a path after the port", "tcp://127.0.0.1:8000/", /a port from 1 to 65535/],
    ["a query after the port", "tcp://127.0.0.1:8000?x", /a port from 1 to 65535/],
    ["user info", "tcp://user@127.0.0.1:8000", /an IP address, not a name/],
    ["a shortened IPv4 address", "tcp://127.1:8000", /an IP address, not a name/],
    ["an IPv4 address with leading zeros", "tcp://127.0.0.01:8000", /an IP address, not a name/],
    ["an IPv6 address without brackets", "tcp://::1:8000", /port/],
    ["an IPv4 address in brackets", "tcp://[127.0.0.1]:8000", /an IP address, not a name/],
    ["an IPv6 address with a zone", "tcp://[fe80::1%eth0]:8000", /an IP address, not a name/],
    ["an empty host", "tcp://:8000", /an IP address, not a name/],
  ] as const) {
    it(`is not ${why}`, () => {
      const parsed = parseWorkloadApiAddress(text);
      assert.ok(!parsed.ok);
      assert.equal(parsed.code, "workload_api_address");
      assert.match(parsed.detail ?? "", advice);
    });
  }
});
