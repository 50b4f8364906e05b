import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type BundleEndpointOptions, startBundleEndpoint } from "../../../../src/identity/sources/https.ts";
import { MAX_BUNDLE_BYTES } from "../../../../src/identity/trust-bundle.ts";
import { createTrustBundles } from "../../../../src/identity/trust-bundles.ts";
import { bundleText, ecKey, jwtEntry, x509Entry } from "../../../support/bundle-documents.ts";
import { openBundleEndpoint, webServer } from "../../../support/bundle-endpoint.ts";
import { createManualClock } from "../../../support/manual-clock.ts";
import { makeFolder } from "../../../support/open-check-server.ts";
import { issueAuthority, issueCertificate } from "../../../support/signed-certificate.ts";

const MINUTE_MS = 60_000;
const webRoot = issueAuthority(undefined, { subject: "web root" });
const authority = issueAuthority(undefined, { uris: ["spiffe://example.org"] });
const shown = webServer(webRoot);
const ONE = bundleText([x509Entry(authority.pem)]);
const NONE = bundleText([]);
const at = (sequence: number, text: string): string => text.replace("{", `{"spiffe_sequence":${sequence},`);
const hinting = (seconds: number): string => ONE.replace("{", `{"spiffe_refresh_hint":${seconds},`);

interface Changes extends Partial<Pick<BundleEndpointOptions, "url" | "timeoutMs" | "maxStalenessMs">> {
  /** PEM of `bundle_ca`; null: none is configured. */
  readonly roots?: string | null;
  readonly random?: () => number;
}

/** A source that polls a real endpoint by a manual clock. */
async function open(t: TestContext, document = ONE, { roots = webRoot.pem, random = () => 0, ...more }: Changes = {}) {
  const endpoint = await openBundleEndpoint(t, shown, document);
  const caFile = join(makeFolder(t), "roots.pem");
  if (roots !== null) writeFileSync(caFile, roots);
  const clock = createManualClock(Date.now());
  const told: string[] = [];
  const bundles = createTrustBundles({
    clock,
    trustDomains: new Map([
      ["example.org", { origin: "https_web", maxStalenessMs: more.maxStalenessMs ?? 60 * MINUTE_MS }],
    ]),
    onProblem: ({ problem }) => told.push(problem),
  });
  const source = startBundleEndpoint(
    {
      trustDomain: "example.org",
      url: `${endpoint.url}/bundle`,
      profile: { name: "https_web", ...(roots === null ? {} : { caFile }) },
      ...more,
    },
    bundles.sink("https_web"),
    { clock, timers: clock.timers, bundles, random },
  );
  t.after(() => source.close());
  const poll = async (): Promise<void> => {
    clock.advanceMs(clock.timers.nextMs ?? 0);
    await source.reload();
  };
  const authorities = (): number | undefined => bundles.find("example.org")?.bundle.x509Authorities.length;
  return { endpoint, source, bundles, told, clock, poll, authorities, caFile };
}

describe("https_web", () => {
  it("has asked once when it is ready, in plain HTTP/1.1 and for nothing compressed", async (t) => {
    const { endpoint, source, authorities, told, bundles } = await open(t);
    let headers: unknown;
    endpoint.answer((response, request) => {
      headers = request.headers;
      response.end(ONE);
    });
    await source.ready;
    assert.deepEqual([endpoint.asked, authorities(), told], [["GET /bundle"], 1, []]);
    assert.equal(bundles.find("example.org")?.source, "https_web");
    assert.deepEqual(headers, {
      accept: "application/json",
      "accept-encoding": "identity",
      connection: "close",
      host: endpoint.url.slice("https://".length),
    });
  });

  it("keeps the query of the URL to itself", async (t) => {
    const { endpoint, told } = await open(t, ONE, { url: "https://localhost:1/bundle?token=secret" });
    await new Promise(setImmediate);
    assert.deepEqual(endpoint.asked, []);
    assert.ok(!told.join().includes("secret"));
  });

  const unproven: readonly (readonly [name: string, show: ReturnType<typeof webServer>, why: RegExp])[] = [
    ["is signed by another root", webServer(issueAuthority(undefined, {})), /signed by no known root.*`bundle_ca`/],
    ["is for another host name", webServer(webRoot, ["bundles.test"]), /another host name/],
    ["has only a SPIFFE ID", spiffeOnly(), /another host name/],
    ["has expired", expired(), /has expired/],
  ];
  for (const [name, show, why] of unproven) {
    it(`sends nothing to a server whose certificate ${name}`, async (t) => {
      const { endpoint, source, poll, told, authorities } = await open(t);
      await source.ready;
      const before = endpoint.bytes;
      endpoint.present(show);
      endpoint.answer((response) => response.end(NONE));
      await poll();
      assert.match(told.join(), why);
      assert.deepEqual([endpoint.bytes - before, authorities()], [0, 1]);
    });
  }

  it("trusts no root of its own choice when the file of roots is empty, broken or missing", async (t) => {
    const { endpoint, source, told, caFile, poll } = await open(t, ONE, { roots: "" });
    await source.ready;
    for (const broken of ["AAAA", "AAAA\n-----END CERTIFICATE-----\n"]) {
      writeFileSync(caFile, `-----BEGIN CERTIFICATE-----\n${broken}`);
      await poll();
    }
    assert.equal(endpoint.asked.length, 0);
    // One sentence for all of them, told once.
    assert.equal(told.length, 1);
    for (const problem of told) assert.match(problem, /`bundle_ca` `.*roots\.pem`: .*: list root certificates in PEM/);
    writeFileSync(caFile, webRoot.pem);
    await poll();
    assert.equal(endpoint.asked.length, 1, "roots are read at each attempt");
  });

  it("knows none of our own roots without `bundle_ca`", async (t) => {
    const { source, told, endpoint } = await open(t, ONE, { roots: null });
    await source.ready;
    assert.match(told.join(), /signed by no known root/);
    assert.equal(endpoint.bytes, 0);
  });

  for (const url of [
    "http://localhost/bundle",
    "https://user@localhost/bundle",
    "https://:pw@localhost/",
    "x",
    "https://",
  ]) {
    it(`does not ask ${url}`, async (t) => {
      const { source, told } = await open(t, ONE, { url });
      await source.ready;
      assert.match(told.join(), /the URL must begin with https:\/\/ and hold no user name/);
    });
  }
});

function spiffeOnly(): ReturnType<typeof webServer> {
  const leaf = issueCertificate(webRoot, { subject: "server", uris: ["spiffe://example.org/localhost"] });
  return { cert: leaf.pem, key: leaf.keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

function expired(): ReturnType<typeof webServer> {
  const leaf = issueCertificate(webRoot, {
    subject: "server",
    dnsNames: ["localhost"],
    notBeforeUnixMs: Date.now() - 120 * MINUTE_MS,
    notAfterUnixMs: Date.now() - MINUTE_MS,
  });
  return { cert: leaf.pem, key: leaf.keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

const failures: readonly (readonly [name: string, answer: (response: ServerResponse) => void, why: RegExp])[] = [
  ...[204, 206, 304, 401, 404, 500, 503].map(
    (status) =>
      [
        `status ${status}`,
        (response: ServerResponse) => response.writeHead(status).end(),
        new RegExp(`${status}`),
      ] as const,
  ),
  ["a redirect to nowhere", (response) => response.writeHead(302).end(), /redirects to nowhere/],
  ["a redirect to http", (response) => redirect(response, "http://localhost/bundle"), /no https:\/\/ URL/],
  ["a redirect to a file", (response) => redirect(response, "file:///etc/passwd"), /no https:\/\/ URL/],
  ["a redirect with a user name", (response) => redirect(response, "https://user@localhost/"), /no https:\/\/ URL/],
  ["a redirect to what is no URL", (response) => redirect(response, "https://["), /no https:\/\/ URL/],
  ["a redirect to itself", (response) => redirect(response, "/bundle"), /redirects more than 3 times/],
  [
    "a redirect to a closed port",
    (response) => redirect(response, "https://localhost:1/"),
    /localhost:1: nothing listens/,
  ],
  ["a compressed answer", (response) => response.writeHead(200, { "content-encoding": "gzip" }).end("x"), /compressed/],
  ["a document of more than 4 MiB", (response) => response.end(" ".repeat(MAX_BUNDLE_BYTES + 1)), /more than 4194304/],
  ["a document without end", (response) => endless(response), /more than 4194304/],
  ["half an answer", (response) => half(response), /before its answer was complete/],
  ["an answer of no HTTP", (response) => response.socket?.end("hello\r\n\r\n"), /before its answer was complete/],
  ["no answer but the end", (response) => response.socket?.end(), /before its answer was complete/],
  ["a document without keys", (response) => response.end("{}"), /no list `keys`/],
  ["half a document", (response) => response.end(ONE.slice(0, 99)), /no JSON document/],
  ["an empty document", (response) => response.end(), /no JSON document/],
  ["PEM in place of a document", (response) => response.end(authority.pem), /no JSON document/],
  ["a page", (response) => response.end("<!doctype html>"), /no JSON document/],
];

const redirect = (response: ServerResponse, location: string): void => void response.writeHead(302, { location }).end();

function endless(response: ServerResponse): void {
  const chunk = " ".repeat(65_536);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}

function half(response: ServerResponse): void {
  response.writeHead(200, { "content-length": ONE.length });
  response.write(ONE.slice(0, 10), () => response.destroy());
}

describe("an answer that is no bundle", () => {
  for (const [name, answer, why] of failures) {
    it(`${name} leaves the last good bundle in force and ageing`, async (t) => {
      const { endpoint, source, poll, told, authorities, bundles, clock } = await open(t);
      await source.ready;
      endpoint.answer(answer);
      await poll();
      assert.equal(told.length, 1);
      assert.match(told[0] ?? "", why);
      const start = `svidgate.identity.trust_domains.example.org.bundle: \`${endpoint.url}/bundle\`: `;
      assert.ok(told[0]?.startsWith(start), told[0]);
      assert.ok(told[0]?.endsWith(": the last good bundle stays in force"), told[0]);
      assert.deepEqual([authorities(), bundles.ageSeconds("example.org", clock.unixMs())], [1, 300]);
      endpoint.answer((response) => response.end(NONE));
      await poll();
      assert.deepEqual([authorities(), bundles.ageSeconds("example.org", clock.unixMs())], [0, 0]);
    });
  }

  it("says that nothing is accepted while there is no bundle yet", async (t) => {
    const { source, told } = await open(t, "{}");
    await source.ready;
    assert.match(told.join(), /: there is no bundle yet, so nothing of this trust domain is accepted$/);
  });
});

describe("a server that is slow", () => {
  it("is given up after the timeout, whatever it sends until then", async (t) => {
    const { endpoint, source, clock, told, authorities } = await open(t);
    await source.ready;
    for (const answer of [
      () => undefined,
      (response: ServerResponse) => void response.writeHead(200).write("{"),
      (response: ServerResponse) => void response.socket?.write("HTTP/1.1 200 OK\r\n"),
    ]) {
      const asked = new Promise<void>((resolve) => {
        endpoint.answer((response) => {
          answer(response);
          resolve();
        });
      });
      const attempt = source.reload();
      await asked;
      clock.advanceMs(29_999);
      clock.advanceMs(1);
      await attempt;
    }
    assert.equal(authorities(), 1);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? "", /it took too long/);
  });

  it("is given up when it never shakes hands", async (t) => {
    const silent = createServer((socket) => socket.on("error", () => undefined)).listen(0, "localhost");
    await once(silent, "listening");
    t.after(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const connected = once(silent, "connection");
    const { source, clock, told } = await open(t, ONE, { url: `https://localhost:${port}/`, timeoutMs: 500 });
    const [socket] = (await connected) as [{ destroy(): void }];
    t.after(() => socket.destroy());
    clock.advanceMs(500);
    await source.ready;
    assert.match(told.join(), /it took too long/);
  });

  it("is asked by one attempt at a time", async (t) => {
    const { endpoint, source } = await open(t);
    await source.ready;
    await Promise.all([source.reload(), source.reload(), source.reload()]);
    assert.equal(endpoint.asked.length, 2);
  });
});

describe("redirects", () => {
  it("are followed up to three times, and never remembered", async (t) => {
    const { endpoint, source, poll, authorities, told } = await open(t, NONE);
    endpoint.answer((response, { url = "" }) => {
      const step = Number(url.split("/").at(-1)) || 0;
      if (step === 3) response.end(ONE);
      else
        response
          .writeHead([301, 307, 308][step] ?? 302, { location: step === 1 ? `${endpoint.url}/2` : `${step + 1}` })
          .end();
    });
    await source.ready;
    assert.deepEqual([authorities(), told], [1, []]);
    assert.deepEqual(endpoint.asked, ["GET /bundle", "GET /1", "GET /2", "GET /3"]);
    await poll();
    assert.equal(endpoint.asked[4], "GET /bundle");
  });

  it("lead only to servers that prove themselves too", async (t) => {
    const evil = await openBundleEndpoint(t, webServer(issueAuthority(undefined, {})), NONE);
    const { endpoint, source, poll, told, authorities } = await open(t);
    await source.ready;
    endpoint.answer((response) => redirect(response, `${evil.url}/x`));
    await poll();
    assert.match(
      told.join(),
      new RegExp(`redirected to ${evil.url.slice(8)}: its certificate is signed by no known root`),
    );
    assert.deepEqual([evil.bytes, authorities()], [0, 1]);
  });
});

describe("polling", () => {
  const hints: readonly (readonly [seconds: number | undefined, ms: number])[] = [
    [undefined, 5 * MINUTE_MS],
    [1, MINUTE_MS],
    [60, MINUTE_MS],
    [90, 90_000],
    [3_600, 60 * MINUTE_MS],
    [86_400, 60 * MINUTE_MS],
  ];
  for (const [seconds, ms] of hints) {
    it(`asks again after ${ms / 1_000} s at a hint of ${seconds} s`, async (t) => {
      const { source, clock } = await open(t, seconds === undefined ? ONE : hinting(seconds));
      await source.ready;
      assert.equal(clock.timers.nextMs, ms);
    });
  }

  it("spreads itself by up to a tenth, upwards", async (t) => {
    const { source, clock } = await open(t, hinting(100), { random: () => 1 });
    await source.ready;
    assert.equal(clock.timers.nextMs, 110_000);
  });

  it("waits for the next poll after a failure", async (t) => {
    const { source, endpoint, clock, poll } = await open(t, hinting(120));
    await source.ready;
    endpoint.answer((response) => response.writeHead(500).end());
    for (let failure = 0; failure < 3; failure++) {
      await poll();
      assert.equal(clock.timers.nextMs, 120_000);
    }
  });

  it("asks three times before the bundle would be stale, whatever the hint is", async (t) => {
    const { source, clock, poll, bundles } = await open(t, hinting(3_600), { maxStalenessMs: 30 * MINUTE_MS });
    await source.ready;
    for (let polls = 0; polls < 4; polls++) {
      assert.equal(clock.timers.nextMs, 10 * MINUTE_MS);
      await poll();
      assert.equal(bundles.state("example.org", clock.unixMs()), "fresh");
    }
  });

  it("asks sooner after a failure when the bundle would be stale before the next poll", async (t) => {
    const { source, endpoint, clock, poll } = await open(t, hinting(3_600), { maxStalenessMs: 6 * MINUTE_MS });
    await source.ready;
    endpoint.answer((response) => response.writeHead(500).end());
    const waits: (number | undefined)[] = [];
    for (let failure = 0; failure < 10; failure++) {
      waits.push(clock.timers.nextMs);
      await poll();
    }
    // 2 and 4 minutes old; then 5, 5.5, 5.75 … minutes; from 6 minutes on it is stale, and asked for each minute.
    assert.deepEqual(waits, [120_000, 120_000, 60_000, 30_000, 15_000, 7_500, 5_000, 5_000, 60_000, 60_000]);
    endpoint.answer((response) => response.end(hinting(3_600)));
    await poll();
    assert.equal(clock.timers.nextMs, 120_000);
  });

  it("asks sooner while there is no bundle at all, and ever more slowly", async (t) => {
    const { source, endpoint, clock, poll } = await open(t, "{}");
    await source.ready;
    const waits: (number | undefined)[] = [];
    for (let failure = 0; failure < 6; failure++) {
      waits.push(clock.timers.nextMs);
      await poll();
    }
    assert.deepEqual(waits, [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    endpoint.answer((response) => response.end(ONE));
    await poll();
    assert.equal(clock.timers.nextMs, 5 * MINUTE_MS);
  });

  it("confirms what has not changed without a new generation", async (t) => {
    const { source, poll, bundles, clock } = await open(t);
    await source.ready;
    await poll();
    assert.deepEqual([bundles.generation, bundles.ageSeconds("example.org", clock.unixMs())], [1, 0]);
  });

  it("becomes stale when nothing good comes for longer than the limit", async (t) => {
    const { source, endpoint, poll, bundles, clock } = await open(t);
    await source.ready;
    endpoint.answer((response) => response.writeHead(500).end());
    for (let failures = 0; failures < 13; failures++) await poll();
    assert.equal(bundles.state("example.org", clock.unixMs()), "stale");
  });

  it("keeps what it has against an older sequence, which does not count as a success", async (t) => {
    const { source, endpoint, poll, told, authorities, bundles, clock } = await open(t, at(7, ONE));
    await source.ready;
    endpoint.answer((response) => response.end(at(6, NONE)));
    await poll();
    assert.match(told.join(), /sequence 6 is older than 7/);
    assert.deepEqual([authorities(), bundles.ageSeconds("example.org", clock.unixMs())], [1, 300]);
  });

  it("revokes everything with an empty list of keys", async (t) => {
    const { source, endpoint, poll, bundles, clock } = await open(t, at(7, ONE));
    await source.ready;
    endpoint.answer((response) => response.end(at(8, NONE)));
    await poll();
    assert.equal(bundles.find("example.org")?.bundle.x509Authorities.length, 0);
    assert.equal(bundles.state("example.org", clock.unixMs()), "fresh");
  });

  it("holds old and new keys while they are being changed", async (t) => {
    const [before, after] = [jwtEntry("old", ecKey()), jwtEntry("new", ecKey())];
    const { source, endpoint, poll, bundles } = await open(t, bundleText([before]));
    const keys = (): readonly string[] => [...(bundles.find("example.org")?.bundle.jwtAuthorities.keys() ?? [])];
    await source.ready;
    endpoint.answer((response) => response.end(bundleText([before, after])));
    await poll();
    assert.deepEqual(keys(), ["old", "new"]);
    endpoint.answer((response) => response.end(bundleText([after])));
    await poll();
    assert.deepEqual([keys(), bundles.generation], [["new"], 3]);
  });

  it("ends with `close`, also in the middle of an attempt", async (t) => {
    const { source, endpoint, bundles, clock } = await open(t);
    await source.ready;
    const asked = new Promise<ServerResponse>((resolve) => endpoint.answer(resolve));
    const attempt = source.reload();
    const response = await asked;
    source.close();
    response.end(NONE);
    await attempt;
    assert.deepEqual([bundles.generation, clock.timers.pending], [1, 0]);
    await source.reload();
    assert.equal(endpoint.asked.length, 2, "nothing is asked after the end");
  });
});
