// The shipped Envoy configurations, with their placeholders replaced: what runs in the demo and the tests is what users
// copy. Envoy reads the result as JSON.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../../base/package-root.ts";
import { parseYaml, type YamlValue } from "../../base/yaml.ts";

/** A configuration as plain values, to be changed further or printed as JSON. */
export type EnvoyConfig = { readonly [key: string]: JsonValue };
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What to put in place of the placeholders, by what stands in the file. */
export interface Replacements {
  /** Values of `port_value`. */
  readonly ports: Readonly<Record<number, number>>;
  /** Whole strings. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Reads `envoy/<name>.yaml` of this package and replaces. Throws when a placeholder is not in the file. */
export async function readShippedConfig(
  name: "sidecar" | "spire-sidecar" | "ingress",
  replacements: Replacements,
): Promise<EnvoyConfig> {
  const file = join(packageRoot(), "envoy", `${name}.yaml`);
  const parsed = parseYaml(await readFile(file, "utf8"));
  if (!parsed.ok) throw new Error(`${file}: ${parsed.detail ?? parsed.code}`);
  return replacePlaceholders(parsed.value, replacements, file);
}

/** Replaces placeholders in a parsed configuration; `file` is for the error. */
export function replacePlaceholders(config: YamlValue, { ports, texts }: Replacements, file: string): EnvoyConfig {
  const unused = new Set([...Object.keys(ports), ...Object.keys(texts)]);
  const use = <T>(key: string, table: Readonly<Record<string, T>>): T | undefined => {
    unused.delete(key);
    return Object.hasOwn(table, key) ? table[key] : undefined;
  };
  const replace = (value: YamlValue, key: string): JsonValue => {
    if (typeof value === "bigint" || typeof value === "number") {
      return (key === "port_value" ? use(String(value), ports) : undefined) ?? Number(value);
    }
    if (typeof value === "string") return use(value, texts) ?? value;
    if (value === null || typeof value === "boolean") return value;
    if (Array.isArray(value)) return value.map((member: YamlValue) => replace(member, key));
    return Object.fromEntries(
      Object.entries(value).map(([name, member]: [string, YamlValue]) => [name, replace(member, name)]),
    );
  };
  const replaced = replace(config, "") as EnvoyConfig;
  if (unused.size > 0) throw new Error(`${file}: nothing to replace: ${[...unused].join(", ")}`);
  return replaced;
}
