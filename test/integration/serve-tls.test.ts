// `svidgate serve` with mTLS as a process: who asked is in the audit trail, SIGHUP renews, a bad file keeps the old one.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { createTestAuthority } from "../support/ca.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { runSvidgate, startServing } from "../support/serve-process.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-"));
after(() => rmSync(folder, { recursive: true, force: true }));
/** Written beside and moved into place, as renewals are. */
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return path;
};

const ENVOY = "spiffe://example.org/ns/edge/sa/envoy";
const authority = await createTestAuthority();
const [server, renewed, envoy] = await Promise.all([
  authority.svid("/ns/authz/sa/svidgate"),
  authority.svid("/ns/authz/sa/svidgate"),
  authority.svid("/ns/edge/sa/envoy"),
]);
const policy = file("policy.rego", "package envoy.authz\ndefault allow := true\n");
const certificate = file("cert.pem", server.certificatePem);
const key = file("key.pem", server.privateKeyPem);
const ca = file("ca.pem", authority.certificatePem);
const TLS = ["--tls-certificate", certificate, "--tls-private-key", key, "--tls-client-ca", ca];

/** The keys of a JSON document, dotted; lists and `null` are leaves. */
function keysOf(value: unknown, prefix = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [prefix];
  return Object.entries(value).flatMap(([name, inner]) => keysOf(inner, prefix === "" ? name : `${prefix}.${name}`));
}

it("serves the listed client alone, says who asked, and renews on SIGHUP without losing its connection", async () => {
  const audit = join(folder, "audit.jsonl");
  const serving = await startServing([
    ...["--policy", policy, "--audit", `file:${audit}`, ...TLS, "--tls-client-spiffe-id", ENVOY],
  ]);
  const status = async (): Promise<{
    listener: { connections_accepted: number; tls: { certificate: { serial: string } } };
    configuration: { last_reload: { result: string; problems: readonly string[] } };
  }> => (await (await fetch(`${serving.admin}/status`)).json()) as never;
  const metrics = async (): Promise<string> => (await fetch(`${serving.admin}/metrics`)).text();
  const peer = createGrpcPeer(serving.address, {}, { caPem: authority.certificatePem, certificate: envoy });
  const check = async (): Promise<void> => assert.ok("bytes" in (await peer.call(CHECK_PATH, Buffer.alloc(0))));
  try {
    await check();
    const before = await status();
    assert.match(await metrics(), /^svidgate_tls_certificate_expiry_timestamp_seconds 1\d{9}$/m);

    file("cert.pem", renewed.certificatePem);
    serving.signal("SIGHUP");
    await serving.logged("reload failed: configuration and policy in force stay");
    const failed = await status();
    assert.equal(failed.listener.tls.certificate.serial, before.listener.tls.certificate.serial);
    assert.equal(failed.configuration.last_reload.result, "failure");
    assert.match(failed.configuration.last_reload.problems[0] ?? "", /is not the key of/);
    assert.match(await metrics(), /svidgate_tls_reloads_total\{result="failure"\} [12]$/m);

    file("key.pem", renewed.privateKeyPem);
    serving.signal("SIGHUP");
    await serving.logged("reloaded");
    await check();
    const after_ = await status();
    assert.notEqual(after_.listener.tls.certificate.serial, before.listener.tls.certificate.serial);
    assert.equal(after_.listener.connections_accepted, 1);
    assert.match(await metrics(), /svidgate_tls_reloads_total\{result="success"\} [12]$/m);

    const nobody = createGrpcPeer(serving.address, {}, { caPem: authority.certificatePem });
    assert.ok("code" in (await nobody.call(CHECK_PATH, Buffer.alloc(0))));
    nobody.close();
    assert.match(await metrics(), /svidgate_connections_refused_total\{reason="client_certificate_missing"\} [1-9]/);

    const page = readFileSync(join(packageRoot(), "docs/status.md"), "utf8");
    const rows = [...page.matchAll(/^\| `([a-z0-9_.]+)` \|/gm)].map((match) => match[1] ?? "");
    assert.deepEqual(keysOf(after_).sort(), rows.sort());
    const { err } = await serving.stop();
    assert.doesNotMatch(err + JSON.stringify(after_), /PRIVATE KEY/);
  } finally {
    peer.close();
  }
  const events = readFileSync(audit, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(events.length, 2);
  for (const event of events) {
    assert.deepEqual([event["pep_address"], event["pep_spiffe_id"], event["pep_verified"]], ["127.0.0.1", ENVOY, true]);
  }
});

it("judges clients by the trust bundle's file, again when it changes, and takes renewed files by itself", async () => {
  const next = await createTestAuthority();
  const newcomer = await next.svid("/ns/edge/sa/envoy");
  const bundle = file("bundle.pem", authority.certificatePem);
  const own = { certificate: file("own.pem", server.certificatePem), key: file("own_key.pem", server.privateKeyPem) };
  const serving = await startServing([
    ...["--policy", policy, "--audit", "none", "--tls-client-spiffe-id", ENVOY],
    ...["--tls-certificate", own.certificate, "--tls-private-key", own.key],
    ...["--trust-domain-bundle", `example.org=${bundle}`],
  ]);
  const status = async (): Promise<{
    listener: {
      connections_accepted: number;
      connections_refused: Record<string, number>;
      tls: { clients_proven_by: string; certificate: { serial: string }; renewal: { result: string | null } };
    };
  }> => (await (await fetch(`${serving.admin}/status`)).json()) as never;
  const [old, young, stranger] = [envoy, newcomer, await next.svid("/ns/edge/sa/stranger")].map((certificate) =>
    createGrpcPeer(serving.address, {}, { caPem: authority.certificatePem, certificate }),
  );
  const check = (peer: typeof old): Promise<object> | undefined => peer?.call(CHECK_PATH, Buffer.alloc(0));
  try {
    assert.ok("bytes" in ((await check(old)) ?? {}));
    assert.ok("code" in ((await check(young)) ?? {}));
    const before = await status();
    assert.equal(before.listener.tls.clients_proven_by, "bundles");
    assert.ok((before.listener.connections_refused["client_certificate_untrusted"] ?? 0) >= 1);

    file("own_key.pem", renewed.privateKeyPem);
    file("own.pem", renewed.certificatePem);
    await serving.logged("TLS certificate renewed");
    assert.ok("bytes" in ((await check(old)) ?? {}));
    const after_ = await status();
    assert.notEqual(after_.listener.tls.certificate.serial, before.listener.tls.certificate.serial);
    assert.equal(after_.listener.tls.renewal.result, "success");
    assert.equal(after_.listener.connections_accepted, 1);

    file("bundle.pem", next.certificatePem);
    const end = performance.now() + 20_000;
    let ended = await check(old);
    while (ended !== undefined && "bytes" in ended && performance.now() < end) ended = await check(old);
    // Its connection was told to go when the bundle changed: the check met the last moments of the old one, or no new one is given.
    assert.ok(
      ended !== undefined && "code" in ended && (ended.code === 16 || ended.code === 14),
      JSON.stringify(ended),
    );
    const untrusted = async () => (await status()).listener.connections_refused["client_certificate_untrusted"] ?? 0;
    assert.ok((await untrusted()) > (before.listener.connections_refused["client_certificate_untrusted"] ?? 0));
    let served = await check(young);
    while (served !== undefined && "code" in served && performance.now() < end) served = await check(young);
    assert.ok("bytes" in (served ?? {}));
    assert.ok("code" in ((await check(stranger)) ?? {}));
    const last = await status();
    assert.ok((last.listener.connections_refused["client_not_allowed"] ?? 0) >= 1);
    const { err } = await serving.stop();
    assert.doesNotMatch(err, /PRIVATE KEY/);
  } finally {
    for (const peer of [old, young, stranger]) peer?.close();
  }
});

const refusals: readonly (readonly [name: string, flags: readonly string[], sentence: RegExp])[] = [
  ["a certificate without key", TLS.slice(0, 2), /svidgate\.tls\.private_key: missing/],
  ["a key without certificate", TLS.slice(2, 4), /svidgate\.tls\.certificate: missing/],
  ["a client CA without IDs", TLS, /svidgate\.tls\.client_spiffe_ids: missing: .*list the SPIFFE IDs that may ask/],
  [
    "IDs without a client CA",
    [...TLS.slice(0, 4), "--tls-client-spiffe-id", ENVOY],
    /svidgate\.tls\.client_ca: missing/,
  ],
  ["a client CA alone", [...TLS.slice(4), "--tls-client-spiffe-id", ENVOY], /svidgate\.tls\.client_ca: has no effect/],
];
for (const [name, flags, sentence] of refusals) {
  it(`refuses to start with ${name}, and exits 2`, async () => {
    const { code, err } = await runSvidgate(["serve", "--policy", policy, "--listen", "127.0.0.1:0", ...flags]);
    assert.equal(code, 2);
    assert.match(err, sentence);
  });
}
