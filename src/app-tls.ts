// TLS as the configuration asks for it: which keys go together, where the material comes from, and what there is to tell of it.
// How it follows renewals is app-tls-follow.ts.

import type { Settings } from "./config/settings.ts";
import type { OwnSvid } from "./identity/sources/own-svid.ts";
import { parseSpiffeId } from "./identity/spiffe-id.ts";
import type { BoundSocket } from "./server/accept.ts";
import { loadTlsMaterial, readClientCa } from "./server/tls-files.ts";
import { type TlsMaterial, toTlsMaterial } from "./server/tls-material.ts";
import type { Findings } from "./server/tls-pem.ts";
import type { TlsRenewed } from "./server/tls-renewal.ts";
import type { Log } from "./telemetry/log.ts";

/** Material, or undefined for plaintext; or every problem. */
export type LoadedListenerTls =
  | { readonly ok: true; readonly material: TlsMaterial | undefined; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** What TLS is made of. */
export type TlsSettings = Pick<
  Settings,
  | "tlsSource"
  | "tlsCertificate"
  | "tlsPrivateKey"
  | "tlsClientCa"
  | "tlsClientSpiffeIds"
  | "tlsMinVersion"
  | "workloadApi"
> & { readonly trustDomains: ReadonlyMap<string, unknown> };

/** Where svidgate's own SVID comes from; the Workload API, once it has been asked (`ready`). */
export interface OwnSvidSource {
  ownSvid(): OwnSvid | undefined;
  onSvid(listen: () => void): () => void;
}

/** Whether the listener is to speak TLS. */
export const wantsTls = ({ tlsSource, tlsCertificate }: Pick<Settings, "tlsSource" | "tlsCertificate">): boolean =>
  tlsSource === "workload_api" || tlsCertificate !== undefined;

/** Reads the files that the settings name, or takes the Workload API's SVID. */
export async function loadListenerTls(
  settings: TlsSettings,
  nowUnixMs: number,
  svids?: Pick<OwnSvidSource, "ownSvid">,
): Promise<LoadedListenerTls> {
  const { tlsCertificate, tlsPrivateKey, tlsClientCa, tlsClientSpiffeIds, tlsMinVersion } = settings;
  const problems = incompleteKeys(settings);
  if (problems.length > 0) return { ok: false, problems };
  const clients = { clientSpiffeIds: tlsClientSpiffeIds, minVersion: tlsMinVersion };
  if (settings.tlsSource === "workload_api") {
    const own = svids?.ownSvid();
    if (own === undefined) return { ok: false, problems: [NO_SVID] };
    const found: Findings = { problems: [], warnings: [] };
    const clientCa = await readClientCa(tlsClientCa, found);
    return toTlsMaterial(own, { ...clients, clientCa }, nowUnixMs, found);
  }
  if (tlsCertificate === undefined || tlsPrivateKey === undefined)
    return { ok: true, material: undefined, warnings: [] };
  const files = { certificate: tlsCertificate, privateKey: tlsPrivateKey, clientCa: tlsClientCa };
  return loadTlsMaterial({ ...files, ...clients }, nowUnixMs);
}

/** The problem of a Workload API that is silent, or that nobody asks. */
export const NO_SVID =
  "svidgate.tls.source: the Workload API has given no SVID: see that its agent runs and has an entry for svidgate, or use files";

function incompleteKeys(settings: TlsSettings): string[] {
  const { tlsCertificate, tlsPrivateKey, tlsClientCa, tlsClientSpiffeIds } = settings;
  const problems: string[] = [];
  const ownFiles = settings.tlsSource !== "workload_api";
  if (ownFiles && tlsCertificate !== undefined && tlsPrivateKey === undefined)
    problems.push("svidgate.tls.private_key: missing: `svidgate.tls.certificate` needs its key");
  if (ownFiles && tlsCertificate === undefined && tlsPrivateKey !== undefined)
    problems.push("svidgate.tls.certificate: missing: `svidgate.tls.private_key` belongs to one");
  const isPlaintext = ownFiles && tlsCertificate === undefined && tlsPrivateKey === undefined;
  if (isPlaintext && tlsClientCa !== undefined)
    problems.push(
      "svidgate.tls.client_ca: has no effect without `svidgate.tls.certificate` and `private_key`: set them",
    );
  if (tlsClientCa !== undefined && tlsClientSpiffeIds.length === 0)
    problems.push(
      "svidgate.tls.client_spiffe_ids: missing: with `svidgate.tls.client_ca`, list the SPIFFE IDs that may ask",
    );
  if (tlsClientCa === undefined) problems.push(...idsWithoutAuthorities(settings, isPlaintext));
  return problems;
}

/** SECURITY: a list that nobody holds a client against would look like protection. */
function idsWithoutAuthorities(settings: TlsSettings, isPlaintext: boolean): string[] {
  const { tlsClientSpiffeIds, trustDomains, workloadApi } = settings;
  if (tlsClientSpiffeIds.length === 0) return [];
  if (trustDomains.size === 0 && workloadApi === undefined) {
    return [
      "svidgate.tls.client_ca: missing: without it or trust bundles (`svidgate.identity.trust_domains`, `workload_api`) nobody proves one of `svidgate.tls.client_spiffe_ids`; name the file, or configure them",
    ];
  }
  if (isPlaintext) {
    return [
      "svidgate.tls.client_spiffe_ids: has no effect without TLS: set `svidgate.tls.certificate` and `private_key`, or `source: workload_api`",
    ];
  }
  // Without a list of trust domains, those count that the Workload API gives.
  if (trustDomains.size === 0) return [];
  return tlsClientSpiffeIds.flatMap((text) => {
    const id = parseSpiffeId(text);
    return !id.ok || trustDomains.has(id.value.trustDomain)
      ? []
      : [
          `svidgate.tls.client_spiffe_ids: \`${text}\` is of a trust domain without a bundle: set \`svidgate.identity.trust_domains.${id.value.trustDomain}.bundle\``,
        ];
  });
}

/** Says what protects the listener, and warns where nothing does. */
export function announceListener(log: Log, bound: BoundSocket, material: TlsMaterial | undefined): void {
  const { text: address, isLoopback } = bound;
  if (material === undefined) {
    if (!isLoopback) {
      log.warn("listening without TLS where other machines can reach it: whoever can connect can ask", { address });
    }
    return;
  }
  const { leaf, clientSpiffeIds, clientProof, minVersion } = material;
  log.info("TLS is on", {
    spiffeId: leaf.spiffeId,
    notAfter: notAfter(material),
    minVersion,
    clientCertificates: clientProof === "none" ? "none" : "required",
    ...(clientProof === "none" ? {} : { clientsProvenBy: clientProof }),
    clientSpiffeIds: clientSpiffeIds === undefined ? undefined : [...clientSpiffeIds],
  });
  if (clientProof === "none" && !isLoopback) {
    log.warn("TLS without client certificates: whoever can connect can ask", { address });
  }
}

/** When the listener's certificate ends, RFC 3339; undefined without TLS. */
export const notAfter = (material: TlsMaterial | undefined): string | undefined =>
  material === undefined ? undefined : new Date(material.leaf.notAfterUnixMs).toISOString();

/** `tls` of `GET /status`; no secrets, and of the clients' list only its length. */
export function toTlsStatus(material: TlsMaterial | undefined, renewed?: TlsRenewed): unknown {
  if (material === undefined) return null;
  const { leaf, clientSpiffeIds, clientProof, minVersion } = material;
  return {
    min_version: minVersion.replace("TLSv", ""),
    client_certificates: clientProof === "none" ? "none" : "required",
    clients_proven_by: clientProof === "none" ? null : clientProof,
    client_spiffe_ids: clientSpiffeIds?.size ?? 0,
    certificate: {
      subject: leaf.subject,
      spiffe_id: leaf.spiffeId ?? null,
      serial: leaf.serial,
      sha256: leaf.sha256,
      not_before: new Date(leaf.notBeforeUnixMs).toISOString(),
      not_after: new Date(leaf.notAfterUnixMs).toISOString(),
    },
    renewal: {
      time: renewed === undefined ? null : new Date(renewed.unixMs).toISOString(),
      result: renewed?.result ?? null,
      problems: renewed?.problems ?? [],
    },
  };
}
