// `identity` of GET /status in a svidgate where everything is configured, against the table in docs/status.md.

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { createTestAuthority } from "../support/ca.ts";
import { startServing } from "../support/serve-process.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-status-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

const DATA = '{"spiffe://example.org/ns/payments/**": {"owner": "team-a"}}';

/** Every leaf as the page writes it: `[]` for members of a list, without the `?`. */
function leavesOf(value: unknown, prefix: string): readonly string[] {
  if (Array.isArray(value)) {
    const members = value.filter((member) => typeof member === "object");
    return members.length === 0 ? [prefix] : [...new Set(members.flatMap((member) => leavesOf(member, `${prefix}[]`)))];
  }
  if (typeof value !== "object" || value === null) return [prefix];
  return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, `${prefix}.${name}`));
}

it("tells every key that docs/status.md lists and no other, and no key material", async () => {
  const authority = await createTestAuthority();
  const config = {
    svidgate: {
      audit: { sink: "none" },
      identity: {
        trust_domains: { "example.org": { bundle: file("bundle.pem", authority.certificatePem) } },
        workload_api: `unix://${join(folder, "nobody.sock")}`,
        jwt_svid: { audiences: ["orders"], forward: "strip" },
        deny_list: file("deny.json", '{"entries": []}'),
        attributes: {
          templates: ["/ns/{namespace}/sa/{service_account}"],
          files: [file("data.json", DATA)],
        },
      },
    },
  };
  const policy = file("policy.rego", "package envoy.authz\n\nallow := true\n");
  const serving = await startServing(["-c", file("svidgate.json", JSON.stringify(config)), "--policy", policy]);
  const text = await (await fetch(`${serving.admin}/status`)).text();
  await serving.stop();
  const { identity } = JSON.parse(text) as {
    identity: {
      trust_domains: { state: string; x509_authorities: number }[];
      attributes: { templates: string[]; files: Record<string, unknown>[] };
    };
  };
  assert.deepEqual(
    identity.trust_domains.map(({ state, x509_authorities }) => [state, x509_authorities]),
    [["fresh", 1]],
  );
  const { loaded, ...document } = identity.attributes.files[0] ?? {};
  assert.deepEqual(identity.attributes.templates, ["/ns/{namespace}/sa/{service_account}"]);
  assert.deepEqual(document, {
    file: join(folder, "data.json"),
    entries: 1,
    sha256: hash("sha256", DATA),
    signed: false,
    problem: null,
  });
  assert.match(String(loaded), /^20\d\d-.*Z$/);
  assert.doesNotMatch(text, /BEGIN|PRIVATE|"x5c"/);

  const page = readFileSync(join(packageRoot(), "docs/status.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(identity\.[a-z0-9_.[\]?A-Z]+)` \|/gm)].map(([, row = ""]) => row);
  // What stands in the first table for the whole of a part is told in the second, leaf by leaf.
  const listed = rows.filter(
    (row) => !rows.some((other) => other !== row && /^[[?]/.test(other.slice(row.length)) && other.startsWith(row)),
  );
  const documented = listed.map((row) => row.replaceAll("?", ""));
  const told = leavesOf(identity, "identity");
  // No agent answers here, so that there is no own SVID.
  assert.deepEqual(
    [...told].sort(),
    [
      ...documented.filter((row) => !row.startsWith("identity.workload_api.own_svid.")),
      "identity.workload_api.own_svid",
    ].sort(),
  );
});
