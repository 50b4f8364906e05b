import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compileSource } from "../../../src/policy/load.ts";
import {
  createNetworkBuiltins,
  networkBuiltinsIn,
  networkHint,
  networkNames,
  withNetworkHints,
} from "../../../src/policy/network-builtins.ts";

const both = { httpSend: { allowedHosts: ["a.example"] }, netLookup: { allowedHosts: ["b.example"] } };

describe("what reaches outside", () => {
  for (const [what, options, names] of [
    ["nothing by default", {}, []],
    ["nothing with empty lists", { httpSend: { allowedHosts: [] }, netLookup: { allowedHosts: [] } }, []],
    ["http.send alone", { httpSend: both.httpSend }, ["http.send"]],
    ["net.lookup_ip_addr alone", { netLookup: both.netLookup }, ["net.lookup_ip_addr"]],
    ["both", both, ["http.send", "net.lookup_ip_addr"]],
  ] as const) {
    it(`is ${what}, to the compiler and to a module`, () => {
      const network = createNetworkBuiltins(options);
      assert.deepEqual([network.names, networkNames(options)], [names, names]);
      for (const name of ["http.send", "net.lookup_ip_addr", "opa.runtime", "constructor"])
        assert.equal(
          network.find(name) !== undefined,
          names.some((known) => known === name),
          name,
        );
      network.close();
    });
  }

  it("is refused for an entry that is no host", () => {
    assert.throws(() => createNetworkBuiltins({ httpSend: { allowedHosts: ["http://a"] } }), RangeError);
  });
});

describe("a plan", () => {
  const planOf = async (body: string): Promise<string> => {
    const text = `package envoy.authz\n\nimport rego.v1\n\ndefault allow := false\n\nallow if ${body}\n`;
    const result = await compileSource({ modules: [{ path: "p.rego", text }], data: {}, revision: "" } as never, {
      entrypoints: ["envoy/authz/allow"],
      regoVersion: "v1",
      natives: "plain",
    });
    assert.ok(result.ok, JSON.stringify(result));
    return result.compiled.plan;
  };

  it("tells which of them it calls", async () => {
    assert.deepEqual(networkBuiltinsIn(await planOf('upper(input.a) == "A"')), []);
    assert.deepEqual(networkBuiltinsIn(await planOf("http.send(input.a).status_code == 200")), ["http.send"]);
    assert.deepEqual(networkBuiltinsIn(await planOf('net.lookup_ip_addr("h")[_] == http.send(input.a).raw_body')), [
      "http.send",
      "net.lookup_ip_addr",
    ]);
    for (const text of ["{}", '{"static":{}}', '{"static":{"builtin_funcs":null}}'])
      assert.deepEqual(networkBuiltinsIn(text), []);
  });
});

describe("a compile error", () => {
  it("says which key lets a policy ask outside, and leaves others as they are", () => {
    const error = (message: string) => ({ code: "rego_type_error", message, location: { file: "p", row: 1, col: 2 } });
    const told = withNetworkHints([
      error("undefined function http.send"),
      error("undefined function net.lookup_ip_addr"),
      error("undefined function opa.runtime"),
      error("var x is unsafe"),
    ] as never).map(({ message }) => message);
    assert.deepEqual(told, [
      `undefined function http.send: ${networkHint("http.send")}`,
      `undefined function net.lookup_ip_addr: ${networkHint("net.lookup_ip_addr")}`,
      "undefined function opa.runtime",
      "var x is unsafe",
    ]);
    assert.match(networkHint("http.send") ?? "", /`svidgate\.policy\.http_send\.allowed_hosts`$/);
    assert.match(networkHint("net.lookup_ip_addr") ?? "", /`svidgate\.policy\.net_lookup\.allowed_hosts`$/);
    assert.equal(networkHint("opa.runtime"), undefined);
  });
});
