// A TLS connection to a bundle endpoint whose server has proven who it is before the first byte of a request leaves.
// SPEC: SPIFFE Federation §5.2.1.4 (https_web: the Web PKI) and §5.2.2.4 (https_spiffe: the server's X509-SVID is exactly the
// configured endpoint SPIFFE ID's, verified against the newest bundle of that ID's trust domain).

import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { fail, ok, type Result } from "../../base/result.ts";
import { peerIntermediates, peerLeaf } from "../../base/tls-chain.ts";
import type { SpiffeId } from "../spiffe-id.ts";
import type { TrustBundleSource } from "../trust-bundles.ts";
import { verifyX509Svid } from "../x509-svid.ts";

/** How a server proves itself. */
export type ServerProof =
  /** `caPem`: these roots and no others; else those that Node brings or the system names. */
  | { readonly profile: "https_web"; readonly caPem: string | undefined }
  | { readonly profile: "https_spiffe"; readonly id: SpiffeId; readonly bundles: TrustBundleSource };

/** One connection attempt. `cancelled` ends it, whatever state it is in. */
export interface EndpointConnectionOptions {
  readonly url: URL;
  readonly proof: ServerProof;
  readonly nowUnixMs: number;
  readonly cancelled: AbortSignal;
}

/** Connects and verifies; the code's detail says why not, for people. */
export function connectToEndpoint(
  options: EndpointConnectionOptions,
): Promise<Result<TLSSocket, "unreachable" | "unproven">> {
  const { url, proof, cancelled } = options;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: url.port === "" ? 443 : Number(url.port),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ["http/1.1"],
      minVersion: "TLSv1.2",
      ...(proof.profile === "https_web" && proof.caPem !== undefined ? { ca: proof.caPem } : {}),
      // SECURITY: SPIFFE certificates carry no host names and chain to no root that OpenSSL has, so for them its verdict means
      // nothing and ours, below, is the only one. That the server holds the key, the handshake itself proves.
      rejectUnauthorized: proof.profile === "https_web",
    });
    let isGiven = false;
    const give = (result: Result<TLSSocket, "unreachable" | "unproven">): void => {
      if (isGiven) return;
      isGiven = true;
      cancelled.removeEventListener("abort", abort);
      socket.off("error", onError);
      socket.on("error", () => socket.destroy());
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const abort = (): void => give(fail("unreachable", "it took too long"));
    const onError = (error: Error): void => give(toFault(error));
    socket.on("error", onError);
    socket.once("close", () => give(fail("unreachable", "it closed the connection in the middle of the handshake")));
    if (cancelled.aborted) return abort();
    cancelled.addEventListener("abort", abort);
    socket.once("secureConnect", () => {
      const unproven = proof.profile === "https_spiffe" ? findSpiffeFault(socket, proof, options.nowUnixMs) : undefined;
      give(unproven === undefined ? ok(socket) : fail("unproven", unproven));
    });
  });
}

/** Why the server is not the workload that it has to be. */
function findSpiffeFault(
  socket: TLSSocket,
  { id, bundles }: Extract<ServerProof, { profile: "https_spiffe" }>,
  nowUnixMs: number,
): string | undefined {
  const leaf = peerLeaf(socket);
  if (leaf === undefined) return "it shows no certificate";
  if (bundles.find(id.trustDomain) === undefined) {
    return `there is no bundle of trust domain ${id.trustDomain} to verify it with: set \`bundle_bootstrap\``;
  }
  const verified = verifyX509Svid(leaf, { nowUnixMs, bundles, intermediates: peerIntermediates(socket) });
  if (!verified.ok)
    return `its X509-SVID does not verify (${verified.code}): ${REMEDIES[verified.code] ?? DEFAULT_REMEDY}`;
  const presented = verified.value.spiffeId.id;
  return presented === id.id ? undefined : `it is \`${presented}\`, not \`${id.id}\``;
}

const DEFAULT_REMEDY = "what listens there serves no valid X509-SVID";
const REMEDIES: Readonly<Record<string, string>> = {
  untrusted:
    "no authority of the newest bundle has signed it; if the endpoint lost its authorities, give a new `bundle_bootstrap` and restart",
  no_bundle:
    "the newest bundle has no certificate authorities; if that was not meant, give a new `bundle_bootstrap` and restart",
  expired: "renew it there, or correct this machine's clock",
  not_yet_valid: "correct this machine's clock, or that one's",
};

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it closed the connection",
  ENOTFOUND: "its name is unknown to DNS",
  EAI_AGAIN: "DNS does not answer",
  ETIMEDOUT: "it does not answer",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to it",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host name",
};
const UNKNOWN_ROOT =
  "its certificate is signed by no known root: name that root with `bundle_ca`, or use `bundle_profile: https_spiffe`";
const UNKNOWN_ROOT_CODES: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);
const UNPROVEN_CODES: ReadonlySet<string> = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

function toFault(error: Error): { ok: false; code: "unreachable" | "unproven"; detail: string } {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (UNKNOWN_ROOT_CODES.has(code)) return { ok: false, code: "unproven", detail: UNKNOWN_ROOT };
  const detail = REASONS[code] ?? `no TLS connection (${code === "" ? error.name : code})`;
  return { ok: false, code: UNPROVEN_CODES.has(code) ? "unproven" : "unreachable", detail };
}
