import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAllowedHosts } from "../../../../src/base/allowed-hosts.ts";
import { BuiltinError } from "../../../../src/policy/builtins/builtin.ts";
import { createNetLookup, type ResolveName } from "../../../../src/policy/builtins/net-lookup.ts";
import { createNetworkBuiltins } from "../../../../src/policy/network-builtins.ts";
import { RegoSet, type Value } from "../../../../src/policy/value.ts";
import { decide } from "../../../support/http-send-world.ts";

interface Lookups {
  readonly refused: string[];
  readonly asked: string[];
  look(name: Value): Promise<Value>;
}

function lookups(allowedHosts: readonly string[], resolve: ResolveName): Lookups {
  const refused: string[] = [];
  const asked: string[] = [];
  const builtin = createNetLookup({
    allowedHosts: createAllowedHosts(allowedHosts),
    onRefused: (name) => refused.push(name),
    resolve: (name) => {
      asked.push(name);
      return resolve(name);
    },
  });
  return { refused, asked, look: (name) => decide(builtin, [name]) };
}

const failsWith = (looking: Promise<Value>, message: string): Promise<void> =>
  assert.rejects(looking, (error: unknown) => {
    assert.ok(error instanceof BuiltinError, String(error));
    assert.equal(error.message, message);
    return true;
  });

describe("net.lookup_ip_addr", () => {
  it("gives the addresses of a name as a set", async () => {
    const { look } = lookups(["*"], async () => ["192.0.2.7", "2001:db8::1", "192.0.2.7"]);
    const value = await look("name.example");
    assert.ok(value instanceof RegoSet);
    assert.deepEqual(value.values, ["192.0.2.7", "2001:db8::1"]);
  });

  it("asks the machine's resolver", async () => {
    const builtin = createNetworkBuiltins({ netLookup: { allowedHosts: ["localhost"] } }).find("net.lookup_ip_addr");
    assert.ok(builtin !== undefined);
    const value = await decide(builtin, ["localhost"]);
    assert.ok(value instanceof RegoSet && value.values.length > 0);
    for (const address of value.values) assert.match(String(address), /^(?:127\.0\.0\.1|::1)$/);
  });

  it("is an error for a name without addresses, and for one that cannot be looked up, as in OPA", async () => {
    const sentence = "lookup gone.example: no such host";
    await failsWith(lookups(["*"], async () => []).look("gone.example"), sentence);
    const failing = lookups(["*"], () => Promise.reject(new Error("EAI_AGAIN")));
    await failsWith(failing.look("gone.example"), sentence);
  });

  it("asks nobody about a name that the list does not have", async () => {
    const { look, refused, asked } = lookups(["*.example.org", "a.example:53"], async () => ["192.0.2.7"]);
    const key = "`svidgate.policy.net_lookup.allowed_hosts` does not list it";
    for (const name of ["example.org", "a.example", "evil.example", "example.org.evil"])
      await failsWith(look(name), `disallowed host: ${name}: ${key}`);
    assert.deepEqual([refused, asked], [["example.org", "a.example", "evil.example", "example.org.evil"], []]);
    await look("in.EXAMPLE.org");
    assert.deepEqual(asked.length, 1);
  });

  it("asks nobody about what is no name", async () => {
    const { look, asked } = lookups(["*"], async () => ["192.0.2.7"]);
    for (const name of ["", "a b", "a/b", "http://a", "a:53", "a%00b", "a\u0000b", "a\nb", "x".repeat(300), "\udcff"])
      await failsWith(look(name), `lookup ${name.slice(0, 256)}: no such host`);
    await assert.rejects(look(null), BuiltinError);
    assert.deepEqual(asked, []);
  });
});
