// What the demo asks, and what has to come out: two policies, one after the other, and a decision point that is gone.
// A wrong answer makes the demo fail, so it is a test that people can read.

import type { ReasonCode } from "../../authz/outcome.ts";
import type { CallerName } from "./callers.ts";

/** One request and its only right answer. */
export interface DemoRequest {
  readonly caller: CallerName;
  readonly method: string;
  /** Sent byte for byte. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect: Expected;
  /** A header that has to reach the service, whatever the caller sent. */
  readonly expectUpstream?: readonly [name: string, value: string];
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

/** A policy in force and what is asked under it. */
export interface Scene {
  /** Folder under `policies/`; undefined when svidgate is stopped. */
  readonly policy: string | undefined;
  readonly title: string;
  readonly requests: readonly DemoRequest[];
}

const allowed: Expected = { by: "decided", status: 200, reason: "policy_allowed" };
const denied: Expected = { by: "decided", status: 403, reason: "policy_denied" };
const malformed: Expected = { by: "decided", status: 400, reason: "request_malformed" };
const refused: Expected = { by: "handshake" };

/** The whole demo, in order. */
export const SCENES: readonly Scene[] = [
  {
    policy: "service-allow-list",
    title: "policies/service-allow-list: who may call the order service, by SPIFFE ID",
    requests: [
      { caller: "web", method: "GET", path: "/orders/7", expect: allowed, note: "listed" },
      { caller: "web", method: "POST", path: "/orders", expect: allowed, note: "listed" },
      { caller: "web", method: "DELETE", path: "/orders/7", expect: denied, note: "method not listed" },
      { caller: "invoices", method: "GET", path: "/orders/export/2026", expect: allowed, note: "one path only" },
      { caller: "invoices", method: "GET", path: "/orders/7", expect: denied, note: "… and no other" },
      { caller: "crawler", method: "GET", path: "/orders/7", expect: denied, note: "not listed" },
      { caller: "web", method: "GET", path: "/orders%2F..%2Fadmin", expect: denied, note: "climbs out, encoded" },
      { caller: "web", method: "GET", path: "/orders/%zz", expect: malformed, note: "no such escape" },
      { caller: "impostor", method: "GET", path: "/orders/7", expect: refused, note: "another authority signed it" },
      { caller: "expired", method: "GET", path: "/orders/7", expect: refused, note: "half an hour too old" },
      { caller: "nobody", method: "GET", path: "/orders/7", expect: refused, note: "mTLS wants one" },
    ],
  },
  {
    policy: "namespace-roles",
    title: "policies/namespace-roles: what a namespace may do, by role data (reloaded while running)",
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
    policy: undefined,
    title: "svidgate is stopped: Envoy fails closed",
    requests: [
      {
        caller: "web",
        method: "GET",
        path: "/orders/7",
        expect: { by: "unanswered", status: 503 },
        note: "allowed a moment ago",
      },
    ],
  },
];
