import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  isLoopback,
  type ListenAddress,
  type ListenAddressCode,
  MAX_SOCKET_PATH_BYTES,
  parseListenAddress,
  printListenAddress,
  toPlainIp,
} from "../../../src/server/listen-address.ts";

const tcp = (host: string | undefined, port: number): ListenAddress => ({ kind: "tcp", host, port });
const unix = (path: string): ListenAddress => ({ kind: "unix", path });

describe("parseListenAddress", () => {
  const good: [text: string, want: ListenAddress, printed: string, loopback: boolean][] = [
    ["127.0.0.1:9191", tcp("127.0.0.1", 9191), "127.0.0.1:9191", true],
    ["127.8.9.1:0", tcp("127.8.9.1", 0), "127.8.9.1:0", true],
    ["localhost:65535", tcp("localhost", 65535), "localhost:65535", true],
    ["LOCALHOST:1", tcp("LOCALHOST", 1), "LOCALHOST:1", true],
    ["[::1]:9191", tcp("::1", 9191), "[::1]:9191", true],
    ["[0:0:0:0:0:0:0:1]:9191", tcp("0:0:0:0:0:0:0:1", 9191), "[0:0:0:0:0:0:0:1]:9191", true],
    ["[::ffff:127.0.0.1]:1", tcp("::ffff:127.0.0.1", 1), "[::ffff:127.0.0.1]:1", true],
    [":9191", tcp(undefined, 9191), ":9191", false],
    ["0.0.0.0:9191", tcp("0.0.0.0", 9191), "0.0.0.0:9191", false],
    ["[::]:9191", tcp("::", 9191), "[::]:9191", false],
    ["[fe80::1%eth0]:1", tcp("fe80::1%eth0", 1), "[fe80::1%eth0]:1", false],
    ["[::2]:1", tcp("::2", 1), "[::2]:1", false],
    ["[1::1]:1", tcp("1::1", 1), "[1::1]:1", false],
    ["[::1:1]:1", tcp("::1:1", 1), "[::1:1]:1", false],
    ["[::ffff:10.0.0.1]:1", tcp("::ffff:10.0.0.1", 1), "[::ffff:10.0.0.1]:1", false],
    ["10.1.2.3:80", tcp("10.1.2.3", 80), "10.1.2.3:80", false],
    ["pdp.example:80", tcp("pdp.example", 80), "pdp.example:80", false],
    ["localhost.example:80", tcp("localhost.example", 80), "localhost.example:80", false],
    ["127.example:80", tcp("127.example", 80), "127.example:80", false],
    ["my_host:80", tcp("my_host", 80), "my_host:80", false],
    ["grpc://0.0.0.0:9191", tcp("0.0.0.0", 9191), "0.0.0.0:9191", false],
    ["grpc://:9191", tcp(undefined, 9191), ":9191", false],
    ["grpc://127.0.0.1:9191/", tcp("127.0.0.1", 9191), "127.0.0.1:9191", true],
    ["unix:/run/a.sock", unix("/run/a.sock"), "unix:/run/a.sock", true],
    ["unix:///run/a.sock", unix("/run/a.sock"), "unix:/run/a.sock", true],
    ["unix:/run/ü b:1.sock", unix("/run/ü b:1.sock"), "unix:/run/ü b:1.sock", true],
    [`unix:/${"a".repeat(MAX_SOCKET_PATH_BYTES - 1)}`, unix(`/${"a".repeat(106)}`), `unix:/${"a".repeat(106)}`, true],
  ];
  for (const [text, want, printed, loopback] of good) {
    it(`reads \`${text}\``, () => {
      const got = parseListenAddress(text);
      assert.deepEqual(got, { ok: true, value: want });
      assert.equal(printListenAddress(want), printed);
      assert.equal(isLoopback(want), loopback);
      assert.deepEqual(parseListenAddress(printed), { ok: true, value: want });
    });
  }

  const bad: [text: string, code: ListenAddressCode, detail: RegExp][] = [
    ["", "address_empty", /write `host:port`/],
    ["9191", "address_port", /no port in `9191`: write `host:port` or `:port`/],
    ["localhost", "address_port", /no port/],
    ["localhost:", "address_port", /port ``/],
    ["localhost:http", "address_port", /port `http`/],
    ["localhost:65536", "address_port", /0 to 65535/],
    ["localhost:-1", "address_port", /port `-1`/],
    ["localhost:+1", "address_port", /port `\+1`/],
    ["localhost:1 ", "address_port", /port `1 `/],
    ["localhost:١", "address_port", /port/],
    ["::1:9191", "address_host", /write `\[::1\]:9191`/],
    ["[::1]", "address_host", /brackets/],
    ["[127.0.0.1]:80", "address_host", /not an IPv6 address/],
    ["[localhost]:80", "address_host", /not an IPv6 address/],
    ["127.1:80", "address_host", /not an IPv4 address/],
    ["0127.0.0.1:80", "address_host", /not an IPv4 address/],
    ["256.0.0.1:80", "address_host", /not an IPv4 address/],
    ["2130706433:80", "address_host", /not an IPv4 address/],
    ["a..b:80", "address_host", /not a host name/],
    ["-a:80", "address_host", /not a host name/],
    ["a b:80", "address_host", /not a host name/],
    ["*:80", "address_host", /not a host name/],
    ["a/b:80", "address_host", /not a host name/],
    [`${"a".repeat(254)}:80`, "address_host", /not a host name/],
    ["http://localhost:80", "address_scheme", /unknown scheme/],
    ["https://localhost:80", "address_scheme", /unknown scheme/],
    ["tcp://localhost:80", "address_scheme", /unknown scheme/],
    ["GRPC://localhost:80", "address_scheme", /unknown scheme/],
    ["grpc://", "address_port", /no port/],
    ["grpc://localhost:80/x", "address_port", /port `80\/x`/],
    ["grpc://user@localhost:80", "address_host", /not a host name/],
    ["unix:@name", "address_abstract", /Node pads the name/],
    ["unix://@name", "address_abstract", /Node pads the name/],
    ["unix:\0name", "address_abstract", /Node pads the name/],
    ["unix:", "address_path", /relative/],
    ["unix:a.sock", "address_path", /relative socket path in `unix:a.sock`: write `unix:\/path`/],
    ["unix://run/a.sock", "address_path", /relative/],
    ["unix:/run/", "address_path", /names a folder/],
    ["unix:/run/a\0.sock", "address_path", /zero byte/],
    [`unix:/${"a".repeat(107)}`, "address_path", /108 bytes/],
    [`unix:/${"ü".repeat(54)}`, "address_path", /109 bytes/],
  ];
  for (const [text, code, detail] of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      const got = parseListenAddress(text);
      assert.ok(!got.ok);
      assert.equal(got.code, code);
      assert.match(got.detail ?? "", detail);
    });
  }

  it("never takes a byte of a host name that is not a letter, digit, hyphen, dot or underscore", () => {
    for (let byte = 0; byte < 256; byte++) {
      const char = String.fromCharCode(byte);
      const got = parseListenAddress(`a${char}b:80`);
      assert.equal(got.ok, /[A-Za-z0-9._-]/.test(char), `byte ${byte}`);
    }
  });
});

it("shows IPv4 addresses of IPv6 sockets as IPv4", () => {
  assert.equal(toPlainIp("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(toPlainIp("::FFFF:10.0.0.1"), "10.0.0.1");
  for (const same of ["10.0.0.1", "::1", "::ffff:a00:1", "1::ffff:10.0.0.1"]) assert.equal(toPlainIp(same), same);
});
