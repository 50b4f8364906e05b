// From an accepted connection to a peer that has proven who it is: the TLS handshake, ALPN, the client certificate, and our own
// look at it. Material can be replaced while connections live; each generation has a TLS server of its own that never listens.
// SECURITY: a peer counts as verified only when OpenSSL has authorised its chain (`authorized === true`) *and* our own reading of
// the leaf finds exactly one allowed SPIFFE ID. Optional certificates don't exist here (the flaw of CVE-2026-101916): either
// certificates are required and checked, or none is asked for and nobody is verified.

import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import {
  type ClientCertificate,
  certificateTimeCode,
  verifyClientCertificate,
} from "../identity/client-certificate.ts";
import type { RefusalReason } from "../telemetry/catalogue.ts";
import { createUnverifiedPeer, type Leave, type Peer } from "./peer.ts";
import type { Refusal, Refusals } from "./refusals.ts";
import { TLS_CIPHERS, type TlsMaterial } from "./tls-material.ts";

export interface TlsGateOptions {
  readonly material: TlsMaterial;
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

type Judged =
  | { readonly ok: true; readonly peer: Peer }
  | { readonly ok: false; readonly refusal: Omit<Refusal, "address"> };

const refuse = (refusal: Omit<Refusal, "address">): Judged => ({ ok: false, refusal });

/** A connection is asked to come back this long before its client certificate ends, so that no check meets the end. */
const LEAVE_BEFORE_END_MS = 30_000;
const LEAVE_GRACE_MS = 1_000;

// SECURITY: no renegotiation, which would change a peer's certificate under us (RFC 9113 §9.2.1 forbids it too), and no
// resumption: a ticket would bring back a verdict from before a reload or an expiry.
const SECURE_OPTIONS = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION;

/** Starts with the options' material. */
export function createTlsGate(options: TlsGateOptions): TlsGate {
  const { clock, refusals } = options;
  // Which address an unfinished handshake is with: a closed socket has forgotten it.
  const addresses = new WeakMap<object, string>();
  let material = options.material;
  let server = build(material);

  function build(next: TlsMaterial): Server {
    const built = createServer({
      cert: next.certificatePem,
      key: next.privateKeyPem,
      ...(next.clientCaPem === undefined ? {} : { ca: next.clientCaPem, requestCert: true, rejectUnauthorized: true }),
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
    const judged = judge(used, socket, address);
    if (judged.ok) {
      options.admit(socket, judged.peer);
      return;
    }
    refusals.add({ address, ...judged.refusal });
    socket.destroy();
  }

  /** What our own look at a finished handshake says. */
  function judge(used: TlsMaterial, socket: TLSSocket, address: string): Judged {
    if (socket.alpnProtocol !== "h2") return refuse({ reason: "no_alpn_h2" });
    if (used.clientSpiffeIds === undefined) return { ok: true, peer: toUnverified(address) };
    if (socket.authorized !== true || socket.isSessionReused())
      return refuse({ reason: "client_certificate_untrusted" });
    const leaf = socket.getPeerX509Certificate();
    if (leaf === undefined) return refuse({ reason: "client_certificate_missing" });
    const verified = verifyClientCertificate(leaf.raw, clock.unixMs());
    if (!verified.ok) {
      const { code, detail } = verified;
      const reason =
        code === "expired" || code === "not_yet_valid" ? "client_certificate_expired" : "client_certificate_invalid";
      return refuse({ reason, detail: detail === undefined ? code : `${code}: ${detail}` });
    }
    const { spiffeId } = verified.value;
    if (!isListed(spiffeId)) return refuse({ reason: "client_not_allowed", spiffeId });
    return { ok: true, peer: toPeer(verified.value, address) };
  }

  /** By the newest list, whichever the handshake began with. */
  const isListed = (spiffeId: string): boolean => material.clientSpiffeIds?.has(spiffeId) ?? true;

  /** Let in while no certificates were asked for; that may have changed since. */
  const toUnverified = (address: string): Peer => ({
    ...createUnverifiedPeer(address),
    refusal: () => (material.clientSpiffeIds === undefined ? undefined : "a client certificate is required"),
  });

  function toPeer(certificate: ClientCertificate, address: string): Peer {
    const { spiffeId } = certificate;
    const pep = { address, spiffeId, verified: true };
    let told = false;
    const stop = (reason: RefusalReason, sentence: string): string => {
      if (!told) refusals.add({ reason, address, spiffeId });
      told = true;
      return sentence;
    };
    return {
      pep,
      leave: toLeave(certificate.notAfterUnixMs - clock.unixMs()),
      refusal: () => {
        if (certificateTimeCode(certificate, clock.unixMs()) !== undefined) {
          return stop("client_certificate_expired", "the client certificate has expired");
        }
        return isListed(spiffeId) ? undefined : stop("client_not_allowed", "this client may not ask");
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
  if (remainingMs < 2 * LEAVE_BEFORE_END_MS) return { afterMs: Math.max(0, remainingMs), graceMs: LEAVE_GRACE_MS };
  return { afterMs: remainingMs - LEAVE_BEFORE_END_MS, graceMs: LEAVE_BEFORE_END_MS };
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
