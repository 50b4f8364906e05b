// Which clients may ask, as the configuration says it, checked: exact SPIFFE IDs, and the authorities of a file or, without one,
// the trust bundle of each ID's own trust domain (tls-client.ts does the proving).

import type { SecureVersion } from "node:tls";
import { isWorkloadId, parseSpiffeId } from "../identity/spiffe-id.ts";
import type { TlsMaterial } from "./tls-material.ts";
import { type Findings, type NamedText, toCertificates, toSubject } from "./tls-pem.ts";

/** Not looked at yet. */
export interface ClientRules {
  /** PEM: authorities of client certificates; with it, trust bundles are not asked. */
  readonly clientCa?: NamedText | undefined;
  /** Exact SPIFFE IDs that may ask. Neither IDs nor authorities: no client certificate is asked for. */
  readonly clientSpiffeIds: readonly string[];
  readonly minVersion: "1.2" | "1.3";
}

type CheckedRules = Pick<TlsMaterial, "clientProof" | "clientCaPem" | "clientSpiffeIds"> & {
  readonly minVersion: SecureVersion;
};

/** `nowUnixMs` is what the authorities' dates are held against. */
export function checkClientRules(rules: ClientRules, nowUnixMs: number, found: Findings): CheckedRules {
  const { clientCa, clientSpiffeIds } = rules;
  if (clientCa !== undefined) checkAuthorities(clientCa, nowUnixMs, found);
  for (const text of clientSpiffeIds) checkId(text, found);
  const minVersion = `TLSv${rules.minVersion}` as const;
  if (clientCa === undefined && clientSpiffeIds.length === 0) {
    return { clientProof: "none", clientCaPem: undefined, clientSpiffeIds: undefined, minVersion };
  }
  return {
    clientProof: clientCa === undefined ? "bundles" : "client_ca",
    clientCaPem: clientCa?.text,
    clientSpiffeIds: new Set(clientSpiffeIds),
    minVersion,
  };
}

function checkAuthorities(clientCa: NamedText, nowUnixMs: number, found: Findings): void {
  const { name } = clientCa;
  const authorities = toCertificates(clientCa, found);
  for (const certificate of authorities.filter(({ ca }) => !ca)) {
    found.problems.push(
      `${name} holds \`${toSubject(certificate)}\`, which is no authority: list the certificates that sign clients', not clients'`,
    );
  }
  const expired = authorities.filter(({ validTo }) => nowUnixMs > Date.parse(validTo));
  if (expired.length === 0) return;
  const told = `${name} holds \`${expired.map(toSubject).join("`, `")}\`, which has expired`;
  if (expired.length === authorities.length)
    found.problems.push(`${told}: nobody could ask; write the current authorities`);
  else found.warnings.push(told);
}

function checkId(text: string, found: Findings): void {
  const parsed = parseSpiffeId(text);
  if (!parsed.ok) {
    found.problems.push(
      `svidgate.tls.client_spiffe_ids: \`${text}\` is no SPIFFE ID (${parsed.code}): IDs are exact, such as spiffe://example.org/ns/edge/sa/envoy`,
    );
  } else if (!isWorkloadId(parsed.value)) {
    found.problems.push(
      `svidgate.tls.client_spiffe_ids: \`${text}\` names a trust domain: list the workloads that may ask, one by one`,
    );
  }
}
