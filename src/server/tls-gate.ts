// From an accepted connection to a peer that has proven who it is: the TLS handshake, ALPN, the client certificate, and our own
// look at it. Material can be replaced while connections live; each generation has a TLS server of its own that never listens.
// SECURITY: a peer counts as verified only when our own reading of the leaf finds exactly one allowed SPIFFE ID, and its path was
// proven: by OpenSSL to the authorities of `client_ca` (`authorized === true`), or by tls-client.ts to the bundle of the ID's trust
// domain, before a byte of HTTP/2 is read. Optional certificates don't exist here (the flaw of CVE-2026-101916): either
// certificates are required and checked, or none is asked for and nobody is verified.

import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { peerIntermediates, peerLeaf } from "../base/tls-chain.ts";
import { verifyClientCertificate } from "../identity/client-certificate.ts";
import { validityCode } from "../identity/svid-leaf.ts";
import type { RefusalReason } from "../telemetry/catalogue.ts";
import { createUnverifiedPeer, type Leave, type Peer } from "./peer.ts";
import type { Refusals } from "./refusals.ts";
import {
  type ClientRefusal,
  type ClientTrust,
  type JudgedClient,
  NOT_LISTED,
  type ProvenClient,
  proveByBundle,
  refusedByDate,
} from "./tls-client.ts";
import { type ClientProof, TLS_CIPHERS, type TlsMaterial } from "./tls-material.ts";

export interface TlsGateOptions {
  readonly material: TlsMaterial;
  /** Without it, material that wants clients proven by bundles lets nobody in. */
  readonly trust?: ClientTrust | undefined;
  readonly clock: Clock;
  /** The whole handshake must be done within this time. */
  readonly handshakeTimeoutMs: number;
  readonly refusals: Refusals;
  /** Takes a connection whose peer may ask. */
  admit(socket: TLSSocket, peer: Peer): void;
}

/** The TLS of one listening address. */
export interface TlsGate {
  /** Shakes hands on an accepted connection; `address` is how its peer is known. */
  take(raw: Socket, address: string): void;
  /** New connections get this material; those that are open stay, unless their ID is not listed any more. */
  replace(material: TlsMaterial): void;
}

/** A connection is asked to come back this long before its client certificate ends, so that no check meets the end. */
const LEAVE_BEFORE_END_MS = 30_000;
const LEAVE_GRACE_MS = 1_000;

// SECURITY: no renegotiation, which would change a peer's certificate under us (RFC 9113 §9.2.1 forbids it too), and no
// resumption: a ticket would bring back a verdict from before a reload or an expiry.
const SECURE_OPTIONS = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION;

const NO_TRUST: ClientTrust = { bundles: { find: () => undefined } };
const UNTRUSTED: ClientRefusal = {
  reason: "client_certificate_untrusted",
  sentence: "the client certificate is not trusted",
};
const MISSING: ClientRefusal = {
  reason: "client_certificate_missing",
  sentence: "a client certificate is required",
};

/** How a handshake asks for the client's certificate. */
function toClientOptions({ clientProof, clientCaPem }: TlsMaterial): object {
  switch (clientProof) {
    case "none":
      return {};
    case "client_ca":
      return { ca: clientCaPem, requestCert: true, rejectUnauthorized: true };
    case "bundles":
      // No authorities, rather than the ones that Node brings along: OpenSSL is to find no path, nor to name any to the peer.
      return { ca: [], requestCert: true, rejectUnauthorized: false };
  }
}

/** Starts with the options' material. */
export function createTlsGate(options: TlsGateOptions): TlsGate {
  const { clock, refusals, trust = NO_TRUST } = options;
  // Which address an unfinished handshake is with: a closed socket has forgotten it.
  const addresses = new WeakMap<object, string>();
  let material = options.material;
  let server = build(material);

  function build(next: TlsMaterial): Server {
    const built = createServer({
      cert: next.certificatePem,
      key: next.privateKey.reveal(),
      ...toClientOptions(next),
      minVersion: next.minVersion,
      ciphers: TLS_CIPHERS,
      honorCipherOrder: true,
      ALPNProtocols: ["h2"],
      secureOptions: SECURE_OPTIONS,
      handshakeTimeout: options.handshakeTimeoutMs,
    });
    built.on("secureConnection", (socket) => admit(next, socket));
    built.on("tlsClientError", (error, socket) => {
      // Node leaves a connection open whose handshake took too long.
      socket.destroy();
      const { code = "" } = error as NodeJS.ErrnoException;
      const reason = toReason(code, socket);
      if (reason === undefined) return;
      const detail = socket.authorizationError ?? code;
      refusals.add({ reason, address: addressOf(socket), detail: String(detail) });
    });
    return built;
  }

  /** `_parent` is the accepted socket below; without it, only the log lacks an address. */
  const addressOf = (socket: TLSSocket): string | undefined => {
    const parent: unknown = Reflect.get(socket, "_parent");
    return typeof parent === "object" && parent !== null ? addresses.get(parent) : undefined;
  };

  function admit(used: TlsMaterial, socket: TLSSocket): void {
    socket.on("error", () => socket.destroy());
    const address = addressOf(socket) ?? "unknown";
    const peer = socket.alpnProtocol === "h2" ? toPeer(used, socket, address) : undefined;
    if (peer !== undefined) {
      options.admit(socket, peer);
      return;
    }
    if (socket.alpnProtocol !== "h2") refusals.add({ reason: "no_alpn_h2", address });
    socket.destroy();
  }

  /** Undefined for one that may not ask, which has been told of. */
  function toPeer(used: TlsMaterial, socket: TLSSocket, address: string): Peer | undefined {
    if (used.clientProof === "none") return toUnverified(address);
    const judged = judge(used, socket);
    const refusal = judged.ok ? refusalOf(judged.client) : judged.refusal;
    // SECURITY: an ID is named only where it was proven.
    if (refusal !== undefined) refuse(refusal, address, judged.ok ? judged.client.spiffeId : undefined);
    return judged.ok && refusal === undefined
      ? toVerified(judged.client, used.clientProof, socket, address)
      : undefined;
  }

  const refuse = ({ reason, detail }: ClientRefusal, address: string, spiffeId: string | undefined): void =>
    refusals.add({
      reason,
      address,
      ...(spiffeId === undefined ? {} : { spiffeId }),
      ...(detail === undefined ? {} : { detail }),
    });

  /** What our own look at a finished handshake says, but for the list. */
  function judge(used: TlsMaterial, socket: TLSSocket): JudgedClient {
    if (socket.isSessionReused()) return { ok: false, refusal: UNTRUSTED };
    if (used.clientProof === "bundles") return judgeByBundle(socket);
    return socket.authorized === true ? judgeByAuthority(socket) : { ok: false, refusal: UNTRUSTED };
  }

  function judgeByBundle(socket: TLSSocket): JudgedClient {
    const leaf = peerLeaf(socket);
    if (leaf === undefined) return { ok: false, refusal: MISSING };
    return proveByBundle(leaf, () => peerIntermediates(socket), isListed, trust, clock.unixMs());
  }

  /** OpenSSL has found the path. */
  function judgeByAuthority(socket: TLSSocket): JudgedClient {
    const leaf = peerLeaf(socket);
    if (leaf === undefined) return { ok: false, refusal: MISSING };
    const verified = verifyClientCertificate(leaf, clock.unixMs());
    if (!verified.ok) {
      const { code } = verified;
      const late = code === "expired" || code === "not_yet_valid" ? refusedByDate(code) : undefined;
      const detail = verified.detail === undefined ? code : `${code}: ${verified.detail}`;
      return { ok: false, refusal: late ?? { ...UNTRUSTED, reason: "client_certificate_invalid", detail } };
    }
    const certificate = verified.value;
    const { spiffeId, notAfterUnixMs } = certificate;
    const refusal = (nowUnixMs: number) => refusedByDate(validityCode(certificate, nowUnixMs));
    return { ok: true, client: { spiffeId, notAfterUnixMs, refusal } };
  }

  /** By the newest list, whichever the handshake began with. */
  const isListed = (spiffeId: string): boolean => material.clientSpiffeIds?.has(spiffeId) ?? true;
  const refusalOf = (client: ProvenClient): ClientRefusal | undefined =>
    client.refusal(clock.unixMs()) ?? (isListed(client.spiffeId) ? undefined : NOT_LISTED);

  /** Let in while no certificates were asked for; that may have changed since. */
  const toUnverified = (address: string): Peer => ({
    ...createUnverifiedPeer(address),
    refusal: () => (material.clientProof === "none" ? undefined : MISSING.sentence),
  });

  function toVerified(proven: ProvenClient, provenBy: ClientProof, socket: TLSSocket, address: string): Peer {
    const { spiffeId } = proven;
    let client: JudgedClient = { ok: true, client: proven };
    let by = provenBy;
    let told = false;
    return {
      pep: { address, spiffeId, verified: true },
      leave: toLeave(proven.notAfterUnixMs - clock.unixMs()),
      refusal: () => {
        if (by === "client_ca" && material.clientProof === "bundles") {
          // The authorities' file is gone from the configuration: what was proven by it counts no more.
          by = "bundles";
          client = judgeByBundle(socket);
        }
        const refusal = client.ok ? refusalOf(client.client) : client.refusal;
        if (refusal !== undefined && !told) refuse(refusal, address, spiffeId);
        told ||= refusal !== undefined;
        return refusal?.sentence;
      },
    };
  }

  return {
    take: (raw, address) => {
      addresses.set(raw, address);
      server.emit("connection", raw);
    },
    replace: (next) => {
      server = build(next);
      material = next;
    },
  };
}

function toLeave(remainingMs: number): Leave {
  // A short life leaves a quarter of what remains for the calls that are open.
  const graceMs = Math.min(LEAVE_BEFORE_END_MS, Math.max(0, remainingMs) / 4);
  return { afterMs: Math.max(0, remainingMs) - graceMs, graceMs: Math.max(graceMs, LEAVE_GRACE_MS) };
}

/** Undefined for a peer that went by itself, as a TCP probe does. */
function toReason(code: string, socket: TLSSocket): RefusalReason | undefined {
  const { authorizationError } = socket;
  if (authorizationError) {
    return String(authorizationError) === "CERT_HAS_EXPIRED"
      ? "client_certificate_expired"
      : "client_certificate_untrusted";
  }
  switch (code) {
    case "ERR_TLS_HANDSHAKE_TIMEOUT":
      return "handshake_timeout";
    case "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE":
      return "client_certificate_missing";
    case "ERR_SSL_NO_APPLICATION_PROTOCOL":
      return "no_alpn_h2";
    case "ECONNRESET":
      return undefined;
    default:
      return "handshake_failed";
  }
}
