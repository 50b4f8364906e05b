// A second listener for the demo's Envoy, which is set as nobody should set it: it takes every certificate, whoever signed it and
// however old it is, and callers without one. What svidgate then refuses, it refuses by itself.

import type { EnvoyConfig, JsonValue } from "./envoy-config.ts";
import type { Door } from "./scenes.ts";

const INBOUND: Door = "inbound";
const OPEN: Door = "open";

/** The configuration with a copy of its inbound listener that lets everybody in. */
export function withOpenDoor(config: EnvoyConfig, bundleFile: string): EnvoyConfig {
  const resources = config["static_resources"] as { readonly listeners: readonly { readonly name: string }[] };
  const inbound = resources.listeners.find(({ name }) => name === INBOUND);
  if (inbound === undefined) throw new Error(`no listener \`${INBOUND}\` in the Envoy configuration`);
  const validation = { trusted_ca: { filename: bundleFile }, trust_chain_verification: "ACCEPT_UNTRUSTED" };
  const copy = JSON.parse(JSON.stringify(inbound), (key, value: JsonValue) => {
    if (key === "require_client_certificate") return false;
    return key === "validation_context" ? validation : value;
  }) as { readonly [key: string]: JsonValue };
  const listeners = [...resources.listeners, { ...copy, name: OPEN }] as readonly JsonValue[];
  return { ...config, static_resources: { ...(resources as { readonly [key: string]: JsonValue }), listeners } };
}
