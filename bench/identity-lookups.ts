// Deny lists and attributes: what one question costs.

import { parseAttributeData } from "../src/identity/attribute-data.ts";
import { parseAttributeTemplate } from "../src/identity/attribute-template.ts";
import { type AttributeSubject, createAttributeSource } from "../src/identity/attributes.ts";
import { type DenySubject, parseDenyList } from "../src/identity/deny-list.ts";
import { parseSpiffeId, type SpiffeId } from "../src/identity/spiffe-id.ts";
import { callerId, TRUST_DOMAIN } from "./identity-world.ts";
import { type Case, measureInTurn, spread, table } from "./measure.ts";

const hex = (n: number): string => n.toString(16).padStart(64, "a");

/** A list that denies nobody who asks here, of every kind of entry in turn. */
function denyListOf(entries: number) {
  const named = (n: number): object =>
    [
      { spiffe_id: `spiffe://${TRUST_DOMAIN}/ns/gone/sa/web-${n}` },
      { prefix: `spiffe://${TRUST_DOMAIN}/ns/gone-${n}/*` },
      { fingerprint_sha256: hex(n) },
      { issuer: "CN=example root", serial: `0b${n.toString(16).padStart(6, "0")}` },
      { jti: `gone-${n}` },
    ][n % 5] ?? {};
  const text = JSON.stringify({
    entries: Array.from({ length: entries }, (_, n) => ({ ...named(n), reason: "benchmark", expires: "never" })),
  });
  const parsed = parseDenyList(text);
  if (!parsed.ok) throw new Error(parsed.detail);
  return parsed.value;
}

function idOf(n: number): SpiffeId {
  const parsed = parseSpiffeId(callerId(n));
  if (!parsed.ok) throw new Error(parsed.code);
  return parsed.value;
}

function denyCase(entries: number): Case {
  const list = denyListOf(entries);
  const now = Date.now();
  const subjects = Array.from(
    { length: 1000 },
    (_, n): DenySubject => ({
      spiffeId: idOf(n),
      fingerprintsSha256: [hex(n).replace("a", "b"), hex(0).replace("a", "c")],
      issuersAndSerials: [
        { issuer: "CN=example root", serial: `51${n.toString(16).padStart(4, "0")}` },
        { issuer: "CN=example root", serial: "0a0b" },
      ],
      tokenId: `here-${n}`,
      issuedUnixMs: now - 10_000,
    }),
  );
  return {
    name: `deny list of ${entries}, 1,000 callers with certificate, authority and token`,
    times: 100_000,
    run: (times) => {
      for (let at = 0; at < times; at++) {
        const subject = subjects[at % 1000];
        if (subject !== undefined && list.find(subject, now) !== undefined) throw new Error("nobody is denied here");
      }
    },
  };
}

function attributeCase(callers: number): Case {
  const text = JSON.stringify(
    Object.fromEntries(
      Array.from({ length: 10_000 }, (_, n) => [
        callerId(n),
        { service: `web-${n}`, environment: "prod", owner: "shop", sensitivity: 2 },
      ]),
    ),
  );
  const data = parseAttributeData("attributes.json", Buffer.from(text));
  const template = parseAttributeTemplate("/ns/{namespace}/sa/{service_account}");
  if (!data.ok || !template.ok) throw new Error("attributes that cannot be read");
  const source = createAttributeSource({
    templates: [template.value],
    documents: { generation: 1, current: () => [data.value] },
    claims: ["tier"],
    metadata: new Map(),
  });
  const claims = new Map([["tier", "gold"]]);
  const subjects = Array.from(
    { length: callers },
    (_, n): AttributeSubject => ({
      spiffeId: idOf(n),
      verifiedBy: "pdp",
      claims,
      filterMetadata: () => undefined,
    }),
  );
  return {
    name: `attributes from a template, a document of 10,000 and a claim, ${callers} caller${callers === 1 ? "" : "s"}`,
    times: 100_000,
    run: (times) => {
      for (let at = 0; at < times; at++) {
        const subject = subjects[at % callers];
        if (subject !== undefined && source.json(subject) === undefined) throw new Error("no attributes");
      }
    },
  };
}

/** The table's text. */
export async function benchLookups(passes: number): Promise<string> {
  const cases = [denyCase(0), denyCase(100), denyCase(100_000), attributeCase(1), attributeCase(1000)];
  const figures = await measureInTurn(cases, passes);
  const inNs = (us: readonly number[]): readonly number[] => us.map((each) => each * 1000);
  return table(
    ["one look-up", "CPU, ns"],
    [...figures].map(([name, { cpuUs }]) => [name, spread(inNs(cpuUs), 0)]),
  );
}
