// What identity adds to a decision: the same bytes decided by two svidgates in turn, one that trusts a bundle and one that has none.

import type { CheckCall } from "../src/authz/check-handler.ts";
import { readCheckRequest } from "../src/authz/check-request.ts";
import { systemClock } from "../src/base/clock.ts";
import { decodeCheckResponse } from "../test/support/check-messages.ts";
import { toBenchRequest } from "./check-request.ts";
import {
  type BenchAuthorities,
  type BenchDecider,
  callerId,
  envoyText,
  forwardedClientCert,
  startBenchDecider,
} from "./identity-world.ts";
import { type Case, difference, measureInTurn, spread, table } from "./measure.ts";

const CALL: Omit<CheckCall, "receivedMs"> = {
  deadlineMs: Number.POSITIVE_INFINITY,
  pep: { address: "127.0.0.1", verified: false },
  cancelled: () => false,
};

/** Requests of one caller by the credentials that they carry. */
function requestsOf({ svid, token, intermediate }: BenchAuthorities): ReadonlyMap<string, Uint8Array> {
  const principal = callerId(0);
  const certificate = envoyText(svid(0));
  const below = svid(0, intermediate);
  const authorization = `Bearer ${token(0)}`;
  return new Map([
    ["none", toBenchRequest({ principal })],
    ["certificate", toBenchRequest({ principal, certificate })],
    ["token", toBenchRequest({ principal, authorization })],
    ["certificate and token", toBenchRequest({ principal, certificate, authorization })],
    [
      "certificate and x-forwarded-client-cert with its chain",
      toBenchRequest({
        principal,
        certificate: envoyText(below),
        forwardedClientCert: forwardedClientCert(below, 0, [intermediate]),
      }),
    ],
  ]);
}

/** One decision; throws unless it is an allow. */
export async function decideOnce({ decide }: BenchDecider, request: Uint8Array): Promise<void> {
  const reply = await decide(request, { ...CALL, receivedMs: systemClock.monotonicMs() });
  const { status } = reply.kind === "message" ? decodeCheckResponse(reply.bytes) : { status: { code: -1 } };
  if ((status?.code ?? 0) !== 0) throw new Error(`not allowed: ${JSON.stringify(status)}`);
}

/** The table's text. */
export async function benchDecisions(authorities: BenchAuthorities, passes: number, times: number): Promise<string> {
  const deciders = {
    without: await startBenchDecider([]),
    with: await startBenchDecider(authorities.trustFlags),
  };
  const requests = requestsOf(authorities);
  const cases: Case[] = [];
  for (const [name, request] of requests) {
    for (const [side, decider] of Object.entries(deciders)) {
      await decideOnce(decider, request);
      cases.push({
        name: `${name} ${side}`,
        times,
        run: (count) => {
          for (let at = 0; at < count; at++) {
            void decider.decide(request, { ...CALL, receivedMs: systemClock.monotonicMs() });
          }
        },
        after: () => decider.audit.flush(10_000),
      });
      cases.push({ name: `${name} ${side}, who calls`, times, run: (count) => resolveOften(decider, request, count) });
    }
  }
  const figures = await measureInTurn(cases, passes);
  for (const { rules } of Object.values(deciders)) rules.identity.close();
  const cpu = (name: string): readonly number[] => figures.get(name)?.cpuUs ?? [];
  const rows = [...requests].map(([name, { length }]) => {
    const [one, other] = [cpu(`${name} with`), cpu(`${name} without`)];
    const [resolving, unresolving] = [cpu(`${name} with, who calls`), cpu(`${name} without, who calls`)];
    return [
      name,
      String(length),
      spread(other, 1),
      spread(one, 1),
      difference(one, other),
      difference(resolving, unresolving),
    ];
  });
  return table(
    [
      "credentials, all known",
      "bytes",
      "decision without trust bundles, µs",
      "with, µs",
      "identity adds, µs: medians / quietest passes",
      "of it: saying who calls",
    ],
    rows,
  );
}

/** The resolution alone, with what it reads of the request. */
function resolveOften({ rules: { identity } }: BenchDecider, request: Uint8Array, times: number): void {
  for (let at = 0; at < times; at++) {
    const view = readCheckRequest(request);
    if (!view.ok) throw new Error(view.code);
    void identity.resolve(view.value, Date.now());
  }
}
