// The last good document of one bundle endpoint, kept in `svidgate.state_dir`: after a restart it holds until the endpoint answers,
// as old as it is, so that the sequence protects against a rollback and an endpoint is verified with the newest authorities known.
// SECURITY: what the operator decides goes before what is kept: it belongs to one URL, profile, endpoint ID and first bundle
// (`bundle_bootstrap`), and with another of any of them it is left alone. The file: one line of JSON, then the document as it came.

import { hash } from "node:crypto";
import { fail, ok, type Result } from "../../base/result.ts";
import { type JsonValue, parseJsonObject } from "../../base/strict-json.ts";
import { MAX_BUNDLE_BYTES } from "../trust-bundle.ts";
import { openLastGood } from "./last-good.ts";

/** A document, and when its endpoint last said that it is the newest. */
export interface KeptBundle {
  readonly document: Buffer;
  readonly lastSuccessUnixMs: number;
  /** Of the first bundle that the endpoint was believed by; lower-case hex. */
  readonly bootstrapSha256: string | undefined;
}

/** `none`: nothing is kept for what is configured; `unusable`: something is, and the detail says what is wrong with it. */
export type KeptBundleCode = "none" | "unusable";

/** Where one endpoint's document is kept. */
export interface KeptBundleFile {
  /** `bootstrapSha256`: of the first bundle as it is now; undefined when there is none to read, which decides nothing. */
  load(nowUnixMs: number, bootstrapSha256: string | undefined): Promise<Result<KeptBundle, KeptBundleCode>>;
  /** Resolves when this one or a newer one is kept; with a sentence when it could not be. Never rejects. */
  save(kept: KeptBundle): Promise<string | undefined>;
}

const VERSION = "svidgate trust bundle 1";
const MAX_HEADER_BYTES = 2_048;
/** A file's name has 255 bytes at most, the name of a trust domain too. */
const MAX_NAMED_CHARS = 128;
/** Machines' clocks are set right while they start; what is further ahead would count as fresh for too long. */
const MAX_AHEAD_MS = 300_000;

/** `endpoint`: every configured word that says who is asked; hashed, as a URL's query may hold what is not for files. */
export function openKeptBundle(stateDir: string, trustDomain: string, endpoint: readonly string[]): KeptBundleFile {
  const file = openLastGood(stateDir, toFileName(trustDomain));
  const endpointSha256 = hash("sha256", JSON.stringify(endpoint));
  const unusable = (why: string) => fail("unusable", `\`${file.path}\` is not used, ${why}: remove it`);
  let next: KeptBundle | undefined;
  let saving: Promise<string | undefined> | undefined;

  /** Only the newest waits: a slow disk must not gather documents. */
  async function saveNewest(): Promise<string | undefined> {
    let problem: string | undefined;
    while (next !== undefined) {
      const bytes = write(next, trustDomain, endpointSha256);
      next = undefined;
      problem = await file.save(bytes).then(() => undefined, toProblem);
    }
    saving = undefined;
    return problem;
  }

  const toProblem = (error: NodeJS.ErrnoException): string =>
    `svidgate.state_dir: the trust bundle of ${trustDomain} cannot be kept for a restart: ${error.code ?? error.message}`;

  return {
    load: async (nowUnixMs, bootstrapSha256) => {
      const read = await file.load(MAX_HEADER_BYTES + MAX_BUNDLE_BYTES);
      if (!read.ok) return read.code === "missing" ? fail("none") : unusable(`since ${read.detail ?? read.code}`);
      const end = read.value.subarray(0, MAX_HEADER_BYTES).indexOf("\n");
      const header = end < 0 ? undefined : parseJsonObject(read.value.subarray(0, end).toString("utf8"));
      if (!header?.ok || header.value.get("format") !== VERSION) return unusable("since it is no kept trust bundle");
      const document = read.value.subarray(end + 1);
      const kept = toKept(header.value, document);
      if (kept === undefined || header.value.get("trust_domain") !== trustDomain) {
        return unusable(`since it is damaged or not of ${trustDomain}`);
      }
      if (kept.lastSuccessUnixMs > nowUnixMs + MAX_AHEAD_MS) return unusable("since it is of a later time than now");
      const isSuperseded = bootstrapSha256 !== undefined && bootstrapSha256 !== kept.bootstrapSha256;
      return isSuperseded || header.value.get("endpoint_sha256") !== endpointSha256 ? fail("none") : ok(kept);
    },
    save: (kept) => {
      next = kept;
      saving ??= saveNewest();
      return saving;
    },
  };
}

/** Names have only `a-z0-9._-`, and the prefix keeps them from being `.` or `..`; a long one is told apart by its hash. */
const toFileName = (trustDomain: string): string =>
  trustDomain.length <= MAX_NAMED_CHARS
    ? `bundle-${trustDomain}`
    : `bundle-${trustDomain.slice(0, MAX_NAMED_CHARS)}-${hash("sha256", trustDomain).slice(0, 32)}`;

function write(kept: KeptBundle, trustDomain: string, endpointSha256: string): Buffer {
  const header = {
    format: VERSION,
    trust_domain: trustDomain,
    last_success: new Date(kept.lastSuccessUnixMs).toISOString(),
    endpoint_sha256: endpointSha256,
    bootstrap_sha256: kept.bootstrapSha256 ?? null,
    document_sha256: hash("sha256", kept.document),
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), kept.document]);
}

function toKept(header: ReadonlyMap<string, JsonValue>, document: Buffer): KeptBundle | undefined {
  if (header.get("document_sha256") !== hash("sha256", document)) return undefined;
  const [time, bootstrap] = [header.get("last_success"), header.get("bootstrap_sha256")];
  const lastSuccessUnixMs = typeof time === "string" ? Date.parse(time) : Number.NaN;
  if (!Number.isFinite(lastSuccessUnixMs)) return undefined;
  return { document, lastSuccessUnixMs, bootstrapSha256: typeof bootstrap === "string" ? bootstrap : undefined };
}
