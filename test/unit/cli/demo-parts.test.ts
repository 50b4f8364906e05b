import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { it } from "node:test";
import { message, messageField, presentStringField, uint32Field } from "../../../src/base/protobuf-fields.ts";
import { toAudited, toCounts } from "../../../src/cli/demo/decision-point.ts";
import { readHttpStatus, readRequestHeaders } from "../../../src/cli/demo/direct-client.ts";
import { type EnvoyConfig, readShippedConfig, replacePlaceholders } from "../../../src/cli/demo/envoy-config.ts";
import { withOpenDoor } from "../../../src/cli/demo/open-door.ts";
import type { Played } from "../../../src/cli/demo/play.ts";
import { toCounters, toTable } from "../../../src/cli/demo/report.ts";
import type { DemoRequest, Expected } from "../../../src/cli/demo/scenes.ts";
import { createWorkplace } from "../../../src/cli/demo/workplace.ts";

it("replaces ports only where ports stand, and whole strings only", () => {
  const config = {
    a: { port_value: 8080, timeout: 8080 },
    path: "/run/x",
    note: "not /run/x",
    list: ["/run/x", 1n, true, null],
  };
  assert.deepEqual(replacePlaceholders(config, { ports: { 8080: 1 }, texts: { "/run/x": "/tmp/y" } }, "f"), {
    a: { port_value: 1, timeout: 8080 },
    path: "/tmp/y",
    note: "not /run/x",
    list: ["/tmp/y", 1, true, null],
  });
});

it("refuses to replace what is not there", () => {
  assert.throws(
    () => replacePlaceholders({ a: 1 }, { ports: { 80: 1 }, texts: { x: "y" } }, "f"),
    /^Error: f: nothing to replace: 80, x$/,
  );
});

it("leaves no placeholder file path in the shipped sidecar configuration", async () => {
  const config = await readShippedConfig("sidecar", {
    ports: { 15006: 0, 15000: 0, 8080: 1 },
    texts: {
      "/run/svidgate/ext_authz.sock": "@",
      "/etc/svidgate/tls/svid.pem": "@",
      "/etc/svidgate/tls/svid_key.pem": "@",
      "/etc/svidgate/tls/bundle.pem": "@",
    },
  });
  assert.doesNotMatch(JSON.stringify(config), /\/etc\/|\/run\//);
});

it("differs from the sidecar with SPIRE only in where certificates come from, and in what goes along with them", async () => {
  const read = async (name: "sidecar" | "spire-sidecar") => {
    const { static_resources: resources, ...rest } = (await readShippedConfig(name, { ports: {}, texts: {} })) as {
      readonly static_resources: {
        readonly listeners: readonly unknown[];
        readonly clusters: readonly { readonly name: string }[];
      };
    };
    const text = JSON.stringify(resources.listeners, (key, value: unknown) =>
      ["common_tls_context", "set_current_client_cert_details"].includes(key) ? undefined : value,
    );
    return { text, clusters: resources.clusters, ...rest };
  };
  const [files, agent] = await Promise.all([read("sidecar"), read("spire-sidecar")]);
  assert.equal(agent.text, files.text);
  assert.deepEqual(agent.clusters.slice(0, -1), files.clusters);
  assert.equal(agent.clusters.at(-1)?.name, "spire_agent");
});

for (const name of ["sidecar", "spire-sidecar", "ingress"] as const) {
  it(`fails closed in envoy/${name}.yaml and shows svidgate the caller`, async () => {
    const text = JSON.stringify(await readShippedConfig(name, { ports: {}, texts: {} }));
    for (const setting of [
      '"failure_mode_allow":false',
      '"status_on_error":{"code":"ServiceUnavailable"}',
      '"include_peer_certificate":true',
      '"validate_mutations":true',
      '"forward_client_cert_details":"SANITIZE_SET"',
      '"grpc_health_check":{"service_name":"ready"}',
    ]) {
      assert.ok(text.includes(setting), setting);
    }
  });
}

it("reads the HTTP status out of CheckResponse bytes", () => {
  const allow = message(messageField(1));
  const plainDeny = message(messageField(1, uint32Field(1, 7)));
  const deny = (code: number) =>
    message(messageField(1, uint32Field(1, 7)), messageField(2, messageField(1, uint32Field(1, code))));
  const rows = [
    [allow, 200],
    [plainDeny, 403],
    [deny(401), 401],
    [deny(503), 503],
    [message(), 403],
    [Uint8Array.of(0x0a, 0x7f), 403],
  ] as const;
  for (const [bytes, status] of rows) assert.equal(readHttpStatus(bytes), status, Buffer.from(bytes).toString("hex"));
});

it("reads the headers of an allow out of CheckResponse bytes", () => {
  const header = (key: string, value: string) =>
    messageField(2, messageField(1, presentStringField(1, key), presentStringField(2, value)));
  const bytes = message(messageField(1), messageField(3, header("x-a", "1"), header("x-b", "")));
  assert.deepEqual(
    [...readRequestHeaders(bytes)],
    [
      ["x-a", "1"],
      ["x-b", ""],
    ],
  );
  assert.equal(readRequestHeaders(message(messageField(1))).size, 0);
});

it("sums decisions by outcome", () => {
  const text = `# HELP svidgate_decisions_total x
svidgate_decisions_total{outcome="allow",reason="policy_allowed"} 6
svidgate_decisions_total{outcome="deny",reason="policy_denied"} 4
svidgate_decisions_total{outcome="deny",reason="request_malformed"} 3
svidgate_other_total{outcome="deny"} 9
`;
  assert.deepEqual(toCounts(text), { allow: 6, deny: 7, error: 0 });
});

const audited = toAudited(
  '{"request_id":"1","outcome":"allow","reason":"policy_allowed","total_us":7}\n{"request_id":"2","outcome":"deny","reason":"policy_denied","total_us":8}\n',
);
const asked = (expect: Expected): DemoRequest => ({ caller: "web", method: "GET", path: "/x", expect, note: "n" });
const played = (
  expect: Expected,
  status: number | undefined,
  requestId: string | undefined,
  wrong?: string,
): Played => ({
  request: asked(expect),
  status,
  requestId,
  wrong,
});
const table = (...results: Played[]) =>
  toTable([{ scene: { policy: "p", title: "t", door: "inbound", requests: [] }, results }], audited);

it("prints a row for every answer, with reason and time from the audit event", () => {
  const { text, requests, wrong } = table(
    played({ by: "decided", status: 200, reason: "policy_allowed" }, 200, "1"),
    played({ by: "handshake" }, undefined, undefined),
    played({ by: "unanswered", status: 503 }, 503, undefined),
  );
  assert.deepEqual({ requests, wrong }, { requests: 3, wrong: 0 });
  assert.match(text, /shop\/web {2}GET \/x {3}allow 200 {2}policy_allowed {7}7 {2}n/);
  assert.match(text, /refused {4}\(Envoy: handshake\)/);
  assert.match(text, /deny {2}503 {2}\(Envoy: no answer\)/);
});

it("says how long after the change of the deny list an answer came, and which rows carry a token", () => {
  const result = played({ by: "decided", status: 403, reason: "policy_denied" }, 403, "2");
  const { text } = table({
    ...result,
    request: { ...result.request, token: "forUs" },
    sinceChangeMs: 12.4,
  });
  assert.match(text, /shop\/web, token {2}GET \/x .*n, 12 ms after the file changed\n/);
});

it("opens a second door beside the shipped one, and leaves that as it is", async () => {
  const shipped = await readShippedConfig("sidecar", { ports: {}, texts: {} });
  const both = withOpenDoor(shipped, "/demo/bundle.pem");
  const listenersOf = (config: EnvoyConfig) =>
    (config["static_resources"] as { listeners: readonly { name: string }[] }).listeners;
  const [inbound, open, ...others] = listenersOf(both);
  assert.deepEqual(inbound, listenersOf(shipped)[0]);
  assert.deepEqual([open?.name, others], ["open", []]);
  const text = JSON.stringify(open);
  assert.match(text, /"require_client_certificate":false/);
  assert.match(text, /"trusted_ca":\{"filename":"\/demo\/bundle.pem"\},"trust_chain_verification":"ACCEPT_UNTRUSTED"/);
  assert.doesNotMatch(text, /cert_validator\.spiffe/);
  for (const kept of ['"include_peer_certificate":true', '"failure_mode_allow":false', "SANITIZE_SET"]) {
    assert.ok(text.includes(kept), kept);
  }
  assert.throws(() => withOpenDoor({ static_resources: { listeners: [] } }, ""), /no listener `inbound`/);
});

it("marks and counts every answer that is not the expected one", () => {
  const wanted: Expected = { by: "decided", status: 403, reason: "policy_denied" };
  const rows: readonly (readonly [Played, RegExp])[] = [
    [played(wanted, 403, "1"), /WRONG: reason policy_allowed instead of policy_denied/],
    [played(wanted, 403, "none"), /WRONG: there is no audit event for it/],
    [played(wanted, 200, "2", "200 instead of 403"), /WRONG: 200 instead of 403/],
    [played({ by: "handshake" }, 200, undefined, "got as far as 200"), /WRONG: got as far as 200/],
    [played({ by: "unanswered", status: 503 }, 200, undefined, "200 instead of 503"), /WRONG: 200 instead of 503/],
  ];
  for (const [row, text] of rows) {
    const shown = table(row);
    assert.equal(shown.wrong, 1);
    assert.match(shown.text, text);
  }
});

it("puts Envoy's counters beside svidgate's", () => {
  const ours = { allow: 6, deny: 7, error: 0 };
  assert.match(
    toCounters(ours, { ok: 6, denied: 7, error: 1 }),
    /denied +denied +7 +svidgate_decisions_total\{outcome="deny"\} +7\n/,
  );
  assert.doesNotMatch(toCounters(ours, undefined), /Envoy/);
});

it("undoes steps in reverse, goes on after one that fails, and removes the folder", async () => {
  const workplace = await createWorkplace("svidgate-workplace-", false);
  assert.equal(statSync(workplace.folder).mode & 0o777, 0o700);
  writeFileSync(workplace.file("key.pem"), "secret");
  const undone: string[] = [];
  workplace.onClose(() => void undone.push("first"));
  workplace.onClose(() => Promise.reject(new Error("stuck")));
  workplace.onClose(() => void undone.push("last"));
  const [problems, again] = await Promise.all([workplace.close(), workplace.close()]);
  assert.deepEqual(undone, ["last", "first"]);
  assert.deepEqual(
    problems.map(({ message: text }) => text),
    ["stuck"],
  );
  assert.equal(again, problems, "closing twice is closing once");
  assert.equal(existsSync(workplace.folder), false);
  workplace.onClose(() => void undone.push("late"));
  assert.deepEqual(undone, ["last", "first", "late"], "what comes too late is undone at once");
});

it("removes the folder only when interrupted work has stopped writing into it", async () => {
  const workplace = await createWorkplace("svidgate-workplace-", false);
  let finish = (): void => undefined;
  const work = new Promise<void>((_, reject) => {
    finish = () => {
      writeFileSync(workplace.file("late"), "");
      reject(new Error("interrupted"));
    };
  });
  workplace.onClose(() => void setImmediate(finish));
  assert.deepEqual(await workplace.close(work), []);
  assert.equal(existsSync(workplace.folder), false);
});
