// What the demo asks, and what has to come out: three policies, one after the other, credentials that Envoy lets in and svidgate
// does not, a deny list that changes, and a decision point that is gone. A wrong answer makes the demo fail, so it is a test
// that people can read.

import type { ReasonCode } from "../../authz/outcome.ts";
import type { CallerName, TokenName } from "./callers.ts";

/** One request and its only right answer. */
export interface DemoRequest {
  readonly caller: CallerName;
  /** Sent as `authorization: Bearer …`. */
  readonly token?: TokenName;
  readonly method: string;
  /** Sent byte for byte. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect: Expected;
  /** A header that has to reach the service, whatever the caller sent; undefined: that must not reach it. */
  readonly expectUpstream?: readonly [name: string, value: string | undefined];
  /** What is to be seen here. */
  readonly note: string;
}

/**
 * `decided`: by svidgate, for this reason, with this HTTP status. `handshake`: Envoy takes no request from this caller.
 * `unanswered`: Envoy got no decision and says so.
 */
export type Expected =
  | { readonly by: "decided"; readonly status: number; readonly reason: ReasonCode }
  | { readonly by: "handshake" }
  | { readonly by: "unanswered"; readonly status: number };

/** Which of Envoy's doors a scene uses: the shipped one, or one that is set to let everybody in. */
export type Door = "inbound" | "open";

/** A policy in force and what is asked under it. */
export interface Scene {
  /** Folder under `policies/`; undefined when svidgate is stopped. */
  readonly policy: string | undefined;
  readonly title: string;
  readonly door: Door;
  /** Whom the deny list names from now on. */
  readonly revoked?: CallerName;
  readonly requests: readonly DemoRequest[];
}

const decided = (status: number, reason: ReasonCode): Expected => ({ by: "decided", status, reason });
const allowed = decided(200, "policy_allowed");
const denied = decided(403, "policy_denied");
const refused: Expected = { by: "handshake" };

/** The whole demo, in order. */
export const SCENES: readonly Scene[] = [
  {
    policy: "service-allow-list",
    title: "policies/service-allow-list: who may call the order service, by SPIFFE ID",
    door: "inbound",
    requests: [
      { caller: "web", method: "GET", path: "/orders/7", expect: allowed, note: "listed" },
      { caller: "web", method: "POST", path: "/orders", expect: allowed, note: "listed" },
      { caller: "web", method: "DELETE", path: "/orders/7", expect: denied, note: "method not listed" },
      { caller: "invoices", method: "GET", path: "/orders/export/2026", expect: allowed, note: "one path only" },
      { caller: "invoices", method: "GET", path: "/orders/7", expect: denied, note: "… and no other" },
      { caller: "crawler", method: "GET", path: "/orders/7", expect: denied, note: "not listed" },
      { caller: "web", method: "GET", path: "/orders%2F..%2Fadmin", expect: denied, note: "climbs out, encoded" },
      {
        caller: "web",
        method: "GET",
        path: "/orders/%zz",
        expect: decided(400, "request_malformed"),
        note: "no such escape",
      },
      {
        caller: "yearLong",
        method: "GET",
        path: "/orders/7",
        expect: decided(401, "credential_long_lived"),
        note: "Envoy takes it; `max_lifetime: 24h` does not",
      },
      { caller: "impostor", method: "GET", path: "/orders/7", expect: refused, note: "another authority signed it" },
      { caller: "expired", method: "GET", path: "/orders/7", expect: refused, note: "half an hour too old" },
      { caller: "nobody", method: "GET", path: "/orders/7", expect: refused, note: "mTLS wants one" },
    ],
  },
  {
    policy: "namespace-roles",
    title: "policies/namespace-roles: what a namespace may do, by role data (reloaded while running)",
    door: "inbound",
    requests: [
      {
        caller: "web",
        method: "PUT",
        path: "/orders/7",
        headers: { "x-caller-role": "admin" },
        expect: allowed,
        expectUpstream: ["x-caller-role", "writer"],
        note: "sent `x-caller-role: admin`; the service reads `writer`",
      },
      { caller: "invoices", method: "GET", path: "/orders/7?full=1", expect: allowed, note: "reader" },
      { caller: "invoices", method: "POST", path: "/orders", expect: denied, note: "reader" },
      { caller: "deploy", method: "DELETE", path: "/stock/7", expect: allowed, note: "admin" },
      { caller: "crawler", method: "GET", path: "/stock", expect: denied, note: "namespace without roles" },
    ],
  },
  {
    policy: "attestation-level",
    title: "policies/attestation-level, by input.identity, behind an Envoy that is set to let everybody in",
    door: "open",
    requests: [
      { caller: "web", method: "GET", path: "/orders/7", expect: allowed, note: "its certificate, verified here" },
      { caller: "web", method: "GET", path: "/orders/7/refund", expect: denied, note: "that takes a hardware key" },
      {
        caller: "impostor",
        method: "GET",
        path: "/orders/7",
        expect: decided(401, "x509_untrusted"),
        note: "Envoy says it is shop/web; the bundle says no",
      },
      {
        caller: "impostor",
        token: "forUs",
        method: "GET",
        path: "/orders/7",
        expect: decided(401, "x509_untrusted"),
        note: "a good token beside it changes nothing",
      },
      {
        caller: "expired",
        method: "GET",
        path: "/orders/7",
        expect: decided(401, "x509_expired"),
        note: "dates count at every request",
      },
      { caller: "nobody", method: "GET", path: "/orders/7", expect: denied, note: "no credential: the policy decides" },
      {
        caller: "nobody",
        token: "forUs",
        method: "GET",
        path: "/orders/7",
        expect: allowed,
        expectUpstream: ["authorization", undefined],
        note: "JWT-SVID of shop/web; the service never sees it",
      },
      {
        caller: "nobody",
        token: "forOthers",
        method: "GET",
        path: "/orders/7",
        expect: decided(401, "jwt_aud"),
        note: "JWT-SVID that was made for another service",
      },
    ],
  },
  {
    policy: "attestation-level",
    title: "the deny list changes: deny.json now names shop/web",
    door: "open",
    revoked: "web",
    requests: [
      {
        caller: "web",
        method: "GET",
        path: "/orders/7",
        expect: decided(401, "revoked"),
        note: "the same certificate as before",
      },
      {
        caller: "nobody",
        token: "forUs",
        method: "GET",
        path: "/orders/7",
        expect: decided(401, "revoked"),
        note: "and the same token",
      },
      { caller: "invoices", method: "GET", path: "/orders/7", expect: allowed, note: "others go on" },
    ],
  },
  {
    policy: undefined,
    title: "svidgate is stopped: Envoy fails closed",
    door: "inbound",
    requests: [
      {
        caller: "invoices",
        method: "GET",
        path: "/orders/7",
        expect: { by: "unanswered", status: 503 },
        note: "allowed a moment ago",
      },
    ],
  },
];
