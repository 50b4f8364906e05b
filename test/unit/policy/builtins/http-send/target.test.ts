import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HttpFailure } from "../../../../../src/policy/builtins/http-send/failure.ts";
import { parseTarget, resolveLocation } from "../../../../../src/policy/builtins/http-send/target.ts";

describe("a URL", () => {
  const good: readonly (readonly [url: string, host: string, port: number, authority: string, requestUri: string])[] = [
    ["http://example.org", "example.org", 80, "example.org", "/"],
    ["https://example.org/", "example.org", 443, "example.org", "/"],
    ["HTTP://Example.ORG:8080/A?b=C#frag", "example.org", 8080, "Example.ORG:8080", "/A?b=C"],
    ["http://example.org.:80/", "example.org", 80, "example.org.:80", "/"],
    ["http://example.org:/x", "example.org", 80, "example.org", "/x"],
    ["http://example.org?q=1", "example.org", 80, "example.org", "/?q=1"],
    ["http://[::1]:9/x", "::1", 9, "[::1]:9", "/x"],
    ["http://[0:0:0::1]/x", "::1", 80, "[0:0:0::1]", "/x"],
    ["http://10.0.0.7/x", "10.0.0.7", 80, "10.0.0.7", "/x"],
    ["http://b\u00fccher.example/", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/"],
    // SPEC: Go's URL.RequestURI: as written where it may be, else decoded and escaped anew.
    ["http://h/a/../b/./c", "h", 80, "h", "/a/../b/./c"],
    ["http://h/a%2Fb", "h", 80, "h", "/a%2Fb"],
    ["http://h/a b", "h", 80, "h", "/a%20b"],
    ["http://h/a b%2fc", "h", 80, "h", "/a%20b/c"],
    ["http://h/\u00e9", "h", 80, "h", "/%C3%A9"],
    ['http://h/"<>', "h", 80, "h", "/%22%3C%3E"],
    ["http://h/(a)", "h", 80, "h", "/(a)"],
    ["http://h/x?y=\u00e9", "h", 80, "h", "/x?y=\u00c3\u00a9"],
    ["http://h/x?a?b", "h", 80, "h", "/x?a?b"],
  ];
  for (const [url, host, port, authority, requestUri] of good) {
    it(`${url} is asked at ${host} port ${port} for ${requestUri}`, () => {
      const target = parseTarget("GET", url);
      assert.deepEqual(
        [target.host, target.port, target.authority, target.requestUri],
        [host, port, authority, requestUri],
      );
    });
  }

  it("keeps user information apart from the host, whatever it looks like", () => {
    for (const [url, host, credentials] of [
      ["http://allowed.example@evil.example/", "evil.example", "allowed.example"],
      ["http://allowed.example:80@evil.example/", "evil.example", "allowed.example:80"],
      ["http://a@b@evil.example/", "evil.example", "a@b"],
      ["http://user:p%40ss@h/", "h", "user:p@ss"],
    ] as const) {
      const target = parseTarget("GET", url);
      assert.deepEqual([target.host, target.credentials], [host, credentials]);
      assert.ok(!target.text.includes("p%40ss") && !target.text.includes("p@ss"));
    }
  });

  const bad: readonly (readonly [url: string, message: RegExp, isNetwork: boolean])[] = [
    ["foo://foo.com", /^Get "foo:\/\/foo\.com": unsupported protocol scheme "foo"$/, true],
    ["//h/x", /unsupported protocol scheme ""/, true],
    ["", /unsupported protocol scheme ""/, true],
    ["file:///etc/passwd", /unsupported protocol scheme "file"/, true],
    ["http:///x", /http: no Host in request URL/, true],
    ["http:h", /http: no Host in request URL/, true],
    ["http://h\\@evil/", /invalid userinfo/, false],
    ["http://evil\\.allowed.example/", /invalid host/, false],
    ["http://h h/", /invalid host/, false],
    ["http://h%2eexample/", /invalid host/, false],
    ["http://h%00/", /invalid host/, false],
    ["http://h\u0000/", /invalid control character in URL/, false],
    ["http://h/\r\nx: y", /invalid control character in URL/, false],
    ["http://h:1:2/", /invalid host/, false],
    ["http://h:99999/", /invalid port/, false],
    ["http://h:0/", /invalid port/, false],
    ["http://h:8x/", /invalid host/, false],
    ["http://[::1%25eth0]/", /invalid host/, false],
    ["http://[::1", /invalid host/, false],
    ["http://[127.0.0.1]/", /invalid host/, false],
    ["http://h/%zz", /invalid URL escape "%zz"/, false],
    ["http://h/?a b", /invalid character/, false],
    ["http://us er@h/", /invalid userinfo/, false],
    ["http://user:secret@h h/", /^parse "http:\/\/\*\*\*@h h\/": invalid host "h h"$/, false],
    ["foo://user:secret@h/", /^Get "foo:\/\/\*\*\*@h\/": unsupported/, true],
    ["unix:///run/x.sock", /unsupported protocol scheme "unix"/, true],
  ];
  for (const [url, message, isNetwork] of bad) {
    it(`${JSON.stringify(url)} is refused`, () => {
      assert.throws(
        () => parseTarget("GET", url),
        (error: unknown) => {
          assert.ok(error instanceof HttpFailure);
          assert.match(error.message, message);
          assert.equal(error.isNetwork, isNetwork);
          return true;
        },
      );
    });
  }

  it("with unix:// names a socket in its query, and sends the rest", () => {
    const target = parseTarget("GET", "unix://localhost/a/b?socket=%2Frun%2Fx.sock&z=1&a=2");
    assert.deepEqual(
      [target.socketPath, target.requestUri, target.authority, target.scheme],
      ["/run/x.sock", "/a/b?a=2&z=1", "localhost", "http"],
    );
  });
});

describe("a Location", () => {
  const from = parseTarget("GET", "https://user:pw@h:8443/a/b/c?q=1");
  for (const [location, text, requestUri] of [
    ["http://other/x", "http://other/x", "/x"],
    ["//other:1/x", "https://other:1/x", "/x"],
    ["/x?y", "https://h:8443/x?y", "/x?y"],
    ["d", "https://h:8443/a/b/d", "/a/b/d"],
    ["../d", "https://h:8443/a/d", "/a/d"],
    ["../../../../d", "https://h:8443/d", "/d"],
    ["./", "https://h:8443/a/b/", "/a/b/"],
    ["?z", "https://h:8443/a/b/c?z", "/a/b/c?z"],
    ["#f", "https://h:8443/a/b/c?q=1", "/a/b/c?q=1"],
    ["/a/./b/../c", "https://h:8443/a/c", "/a/c"],
    // SECURITY: to browsers these two are another host.
    ["/\\evil", "https://h:8443/\\evil", "/%5Cevil"],
    ["\\\\evil/x", "https://h:8443/a/b/\\\\evil/x", "/a/b/%5C%5Cevil/x"],
  ] as const) {
    it(`${location} leads to ${text}`, () => {
      const target = resolveLocation("GET", from, location);
      assert.deepEqual([target.text, target.requestUri], [text, requestUri]);
    });
  }
});
