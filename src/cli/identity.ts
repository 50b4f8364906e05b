// `svidgate identity explain`: every check that a credential goes through, with pass or fail, by the verifiers of the server.
// SECURITY: the credential is never written, nor a word of the command line that may be one by mistake.

import { ownTrustDomainOf, type RunningIdentity, startIdentity } from "../app-identity.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { systemTimers } from "../base/timers.ts";
import type { Settings } from "../config/settings.ts";
import { parseDateTime } from "../identity/date-time.ts";
import { explainCertificate } from "../identity/explain/certificate.ts";
import type { CredentialKind, Explanation } from "../identity/explain/checks.ts";
import { CREDENTIAL_KINDS, guessKind, toBareCredential } from "../identity/explain/kind.ts";
import { explainSpiffeId } from "../identity/explain/spiffe-id.ts";
import { explainToken } from "../identity/explain/token.ts";
import type { ExplainOptions } from "../identity/explain/trust.ts";
import { type ExplainXfccOptions, explainXfcc } from "../identity/explain/xfcc.ts";
import { silentLog } from "../telemetry/log.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type CliPorts, type Command, EXIT, reportProblems } from "./command.ts";
import { readCredential, readPeerCertificate } from "./identity-input.ts";
import { toIdentityReport } from "./identity-report.ts";
import { readSettings } from "./settings.ts";

/** The command. */
export const identity: Command = {
  name: "identity",
  summary: "explain a certificate, a token, an x-forwarded-client-cert header or a SPIFFE ID",
  usage: "explain [FILE|-]",
  examples: [
    "svidgate identity explain examples/identity/svid.pem --trust-domain-bundle example.org=examples/identity/bundle.json --now 2026-01-01T00:30:00Z",
    "svidgate identity explain examples/identity/svid.pem --trust-domain-bundle example.org=examples/identity/bundle.json  # exit 1: it has expired",
    "svidgate identity explain - --kind token --trust-domain-bundle example.org=examples/identity/bundle.json --jwt-audience spiffe://example.org/pdp --format json < examples/identity/token.jwt  # exit 1: it has expired",
    "svidgate identity explain examples/identity/xfcc.txt --certificate examples/identity/svid.pem --by spiffe://example.org/ns/edge/sa/envoy",
  ],
  configFlags: ["workload-api", "trust-domain-bundle", "jwt-audience"],
  flags: [
    { flag: "kind", placeholder: "KIND", doc: `${CREDENTIAL_KINDS.join(", ")} (default: by what it looks like)` },
    {
      flag: "certificate",
      placeholder: "FILE",
      doc: "with a header: the peer's certificate, which must have its Hash",
    },
    { flag: "by", placeholder: "ID", doc: "with a header: SPIFFE ID of the proxy that asks, which must be its By" },
    { flag: "now", placeholder: "DATE", doc: "the time that counts, as 2026-01-01T00:00:00Z (default: now)" },
    { flag: "format", placeholder: "text|json", doc: "how the checks are printed (default text)" },
  ],
  // More are refused below: the words may be a credential, and must not be written.
  maxPositionals: Number.POSITIVE_INFINITY,
  async run(args, ports) {
    const request = await readRequest(args);
    const resolved = readSettings(args, ports);
    const problems = [...request.problems, ...(resolved.ok ? [] : resolved.problems)];
    if (problems.length > 0 || !resolved.ok || request.kind === undefined) return reportProblems(ports, problems);
    const { kind, nowUnixMs, format } = request;
    const explained = await explain(kind, request, resolved.settings, ports);
    if (!explained.ok) return reportProblems(ports, explained.problems);
    ports.out(toIdentityReport(explained.explanation, new Date(nowUnixMs).toISOString(), format));
    return explained.explanation.verdict === "accepted" ? EXIT.fine : EXIT.no;
  },
};

interface ExplainRequest {
  readonly text: string;
  /** Undefined when it is not known; then there is a problem. */
  readonly kind: CredentialKind | undefined;
  readonly peer: ExplainXfccOptions;
  readonly nowUnixMs: number;
  readonly format: "text" | "json";
  readonly problems: readonly string[];
}

async function readRequest({ own, positionals }: ParsedArguments): Promise<ExplainRequest> {
  const problems: string[] = [];
  const [action, file = "-", ...more] = positionals;
  const one = (flag: string): string | undefined => own.get(flag)?.[0];
  if (action !== "explain")
    problems.push(`nothing to do: expected explain; usage: svidgate identity ${identity.usage}`);
  if (more.length > 0) problems.push(`${more.length} words too many; usage: svidgate identity ${identity.usage}`);
  const format = one("format") ?? "text";
  if (format !== "text" && format !== "json") problems.push("--format: not valid: expected text or json");
  const now = one("now");
  const time = now === undefined ? systemClock.unixMs() : parseDateTime(now);
  const nowUnixMs = time ?? 0;
  if (time === undefined) {
    problems.push("--now: not valid: expected a date such as 2026-01-01T00:00:00Z");
  }
  const wanted = one("kind");
  const named = CREDENTIAL_KINDS.find((kind) => kind === wanted);
  if (wanted !== undefined && named === undefined) {
    problems.push(`--kind: not valid: expected ${CREDENTIAL_KINDS.join(", ")}`);
  }
  const rest = { nowUnixMs, format: format === "json" ? "json" : "text" } as const;
  const nothing = { text: "", kind: undefined, peer: { certificate: undefined, by: undefined }, ...rest };
  if (problems.length > 0) return { ...nothing, problems };

  const credential = await readCredential(file);
  if (!credential.ok) return { ...nothing, problems: [credential.problem] };
  const kind = named ?? guessKind(credential.text);
  if (kind === undefined) {
    return { ...nothing, problems: [`what this is cannot be told: name it with --kind ${CREDENTIAL_KINDS.join("|")}`] };
  }
  if (kind !== "xfcc") {
    for (const flag of ["certificate", "by"]) {
      if (own.has(flag)) problems.push(`--${flag}: has no effect on a ${kind}: it is for x-forwarded-client-cert`);
    }
  }
  const certificateFile = one("certificate");
  const certificate = certificateFile === undefined ? undefined : await readPeerCertificate(certificateFile);
  if (certificate?.ok === false) problems.push(certificate.problem);
  const peer = { certificate: certificate?.ok ? certificate.certificate : undefined, by: one("by") };
  return { text: toBareCredential(credential.text, kind), kind, peer, ...rest, problems };
}

type Explained =
  | { readonly ok: true; readonly explanation: Explanation }
  | { readonly ok: false; readonly problems: readonly string[] };

async function explain(
  kind: CredentialKind,
  request: ExplainRequest,
  all: Settings,
  ports: CliPorts,
): Promise<Explained> {
  if (kind === "xfcc") return { ok: true, explanation: explainXfcc(request.text, request.peer) };
  const { nowUnixMs } = request;
  const clock: Clock = { unixMs: () => nowUnixMs, monotonicMs: () => systemClock.monotonicMs() };
  // Attributes prove nothing, and the folder that a server keeps its deny list and its bundles in is the server's.
  // Nor is an SVID of our own waited for: nobody connects here.
  const settings: Settings = { ...all, attributeFiles: [], stateDir: undefined, tlsSource: "files" };
  const started = await startIdentity(settings, { clock, timers: systemTimers, log: silentLog });
  if (!started.ok) return started;
  try {
    const silent = started.identity.workloadApi?.status().streams ?? [];
    const problems = new Set(silent.flatMap(({ problem }) => (problem === undefined ? [] : [problem])));
    reportProblems(ports, [...started.warnings, ...problems]);
    return { ok: true, explanation: await explainBy(started.identity, kind, request.text, nowUnixMs) };
  } finally {
    started.identity.close();
  }
}

async function explainBy(
  { bundles, workloadApi, denyList, settings }: RunningIdentity,
  kind: Exclude<CredentialKind, "xfcc">,
  text: string,
  nowUnixMs: number,
): Promise<Explanation> {
  const options: ExplainOptions = {
    nowUnixMs,
    bundles,
    clockSkewMs: settings.clockSkewMs,
    rulesOf: (trustDomain) => settings.trustDomains.get(trustDomain),
    denyList: denyList?.current(),
  };
  switch (kind) {
    case "certificate":
      return explainCertificate(text, options);
    case "spiffe-id":
      return explainSpiffeId(text, options);
    case "token": {
      const own = ownTrustDomainOf(settings, workloadApi);
      const token = {
        audiences: settings.jwtAudiences,
        maxLifetimeMs: settings.jwtMaxLifetimeMs,
        requireKeyId: settings.jwtRequireKeyId,
        keepsAllClaimsOf: (trustDomain: string) => trustDomain === own,
        foreignClaims: settings.jwtForeignClaims,
      };
      return await explainToken(text, { ...options, token });
    }
  }
}
