// `net.lookup_ip_addr`: the addresses of a name, by the machine's resolver. SPEC: OPA 1.22.2, v1/topdown/net.go: a set of texts;
// a name without addresses is an error. Nothing is kept from one decision to the next.

import { lookup } from "node:dns/promises";
import { type AllowedHosts, canonicalHost } from "../../base/allowed-hosts.ts";
import { RegoSet } from "../value.ts";
import { type Answer, type Builtin, BuiltinError } from "./builtin.ts";
import { stringOperand } from "./operands.ts";

/** The addresses of a name; rejects when there are none. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

/** What look-ups are made with. */
export interface NetLookupPorts {
  readonly allowedHosts: AllowedHosts;
  /** Hears of a name that the list does not have. Must not throw. */
  onRefused(name: string): void;
  /** The machine's resolver unless given. */
  readonly resolve?: ResolveName;
}

const resolveBySystem: ResolveName = async (name) =>
  (await lookup(name, { all: true, verbatim: true })).map(({ address }) => address);

/** Creates the builtin. */
export function createNetLookup({ allowedHosts, onRefused, resolve = resolveBySystem }: NetLookupPorts): Builtin {
  return (args, context) => {
    const name = stringOperand(args, 0);
    const host = canonicalHost(name);
    const shown = name.slice(0, 256);
    if (host === undefined) throw new BuiltinError(`lookup ${shown}: no such host`);
    if (!allowedHosts.allows(host)) {
      context.once(() => onRefused(host));
      const key = "svidgate.policy.net_lookup.allowed_hosts";
      throw new BuiltinError(`disallowed host: ${shown}: \`${key}\` does not list it`);
    }
    return context.ask({
      key: `net.lookup_ip_addr ${name}`,
      about: `net.lookup_ip_addr of ${shown}`,
      answer: async (): Promise<Answer> => {
        const addresses = await resolve(name).catch(() => []);
        return addresses.length > 0
          ? { ok: true, value: RegoSet.of(addresses) }
          : { ok: false, error: new BuiltinError(`lookup ${shown}: no such host`) };
      },
    });
  };
}
