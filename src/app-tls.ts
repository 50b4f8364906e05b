// TLS as the configuration asks for it: which keys go together, the material of the files, and what there is to tell of it.

import type { Settings } from "./config/settings.ts";
import type { BoundSocket } from "./server/accept.ts";
import { loadTlsMaterial, type TlsMaterial } from "./server/tls-material.ts";
import type { Log } from "./telemetry/log.ts";

/** Material, or undefined for plaintext; or every problem. */
export type LoadedListenerTls =
  | { readonly ok: true; readonly material: TlsMaterial | undefined; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

type TlsSettings = Pick<
  Settings,
  "tlsCertificate" | "tlsPrivateKey" | "tlsClientCa" | "tlsClientSpiffeIds" | "tlsMinVersion"
>;

/** Reads the files that the settings name. */
export async function loadListenerTls(settings: TlsSettings, nowUnixMs: number): Promise<LoadedListenerTls> {
  const { tlsCertificate, tlsPrivateKey, tlsClientCa, tlsClientSpiffeIds } = settings;
  const problems = incompleteKeys(settings);
  if (problems.length > 0) return { ok: false, problems };
  if (tlsCertificate === undefined || tlsPrivateKey === undefined)
    return { ok: true, material: undefined, warnings: [] };
  return loadTlsMaterial(
    {
      certificate: tlsCertificate,
      privateKey: tlsPrivateKey,
      clientCa: tlsClientCa,
      clientSpiffeIds: tlsClientSpiffeIds,
      minVersion: settings.tlsMinVersion,
    },
    nowUnixMs,
  );
}

function incompleteKeys(settings: TlsSettings): string[] {
  const { tlsCertificate, tlsPrivateKey, tlsClientCa, tlsClientSpiffeIds } = settings;
  const problems: string[] = [];
  if (tlsCertificate !== undefined && tlsPrivateKey === undefined)
    problems.push("svidgate.tls.private_key: missing: `svidgate.tls.certificate` needs its key");
  if (tlsCertificate === undefined && tlsPrivateKey !== undefined)
    problems.push("svidgate.tls.certificate: missing: `svidgate.tls.private_key` belongs to one");
  if (tlsCertificate === undefined && tlsPrivateKey === undefined && tlsClientCa !== undefined)
    problems.push(
      "svidgate.tls.client_ca: has no effect without `svidgate.tls.certificate` and `private_key`: set them",
    );
  if (tlsClientCa !== undefined && tlsClientSpiffeIds.length === 0)
    problems.push(
      "svidgate.tls.client_spiffe_ids: missing: with `svidgate.tls.client_ca`, list the SPIFFE IDs that may ask",
    );
  if (tlsClientCa === undefined && tlsClientSpiffeIds.length > 0)
    problems.push(
      "svidgate.tls.client_ca: missing: without it nobody proves one of `svidgate.tls.client_spiffe_ids`; name the file",
    );
  return problems;
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
  const { leaf, clientSpiffeIds, minVersion } = material;
  log.info("TLS is on", {
    spiffeId: leaf.spiffeId,
    notAfter: notAfter(material),
    minVersion,
    clientCertificates: clientSpiffeIds === undefined ? "none" : "required",
    clientSpiffeIds: clientSpiffeIds === undefined ? undefined : [...clientSpiffeIds],
  });
  if (clientSpiffeIds === undefined && !isLoopback) {
    log.warn("TLS without client certificates: whoever can connect can ask", { address });
  }
}

/** When the listener's certificate ends, RFC 3339; undefined without TLS. */
export const notAfter = (material: TlsMaterial | undefined): string | undefined =>
  material === undefined ? undefined : new Date(material.leaf.notAfterUnixMs).toISOString();

/** `tls` of `GET /status`; no secrets, and of the clients' list only its length. */
export function toTlsStatus(material: TlsMaterial | undefined): unknown {
  if (material === undefined) return null;
  const { leaf, clientSpiffeIds, minVersion } = material;
  return {
    min_version: minVersion.replace("TLSv", ""),
    client_certificates: clientSpiffeIds === undefined ? "none" : "required",
    client_spiffe_ids: clientSpiffeIds?.size ?? 0,
    certificate: {
      subject: leaf.subject,
      spiffe_id: leaf.spiffeId ?? null,
      serial: leaf.serial,
      sha256: leaf.sha256,
      not_before: new Date(leaf.notBeforeUnixMs).toISOString(),
      not_after: new Date(leaf.notAfterUnixMs).toISOString(),
    },
  };
}
