// `input.identity.attributes`: what is known about a verified workload beyond its name, each with where it comes from and whose word it
// is (docs/input.md). Order of precedence: data > template > claim > envoy; a weaker source never overrides a stronger one.
// SECURITY: asked for authenticated callers only. Trust is that of the weakest link: where the ID itself is Envoy's word, so is
// what was looked up by it.

import { type AttributeData, findAttributeData } from "./attribute-data.ts";
import { type AttributeTemplate, matchTemplates } from "./attribute-template.ts";
import { createTextCache } from "./attribute-text-cache.ts";
import { toValueText } from "./attribute-value.ts";
import type { SpiffeId } from "./spiffe-id.ts";

/** Where an attribute comes from: the operator's document, the ID's path, a claim of the verified token, Envoy's metadata. */
export type AttributeOrigin = "data" | "template" | "claim" | "envoy";

/** Whose word an attribute is: svidgate's, taken from the ID it verified; the operator's; the token issuer's; Envoy's. */
export type AttributeTrust = "pdp" | "operator" | "issuer" | "envoy";

/** One attribute. */
export interface Attribute {
  readonly name: string;
  /** JSON text of the value, never `null`. */
  readonly valueJson: string;
  readonly source: AttributeOrigin;
  readonly trust: AttributeTrust;
}

/** An authenticated caller. */
export interface AttributeSubject {
  readonly spiffeId: SpiffeId;
  /** Who verified the ID. */
  readonly verifiedBy: "pdp" | "envoy";
  /** Claims of the verified JWT-SVID, when there is one. */
  readonly claims?: ReadonlyMap<string, unknown> | undefined;
  /** A value of Envoy's dynamic metadata. */
  filterMetadata(namespace: string, key: string): unknown;
}

/** The documents in force; `generation` is another one after each change. */
export interface AttributeDocuments {
  readonly generation: number;
  current(): readonly AttributeData[];
}

/** Where attributes are taken from. */
export interface AttributeOptions {
  /** In order: the first that fits counts. */
  readonly templates: readonly AttributeTemplate[];
  readonly documents?: AttributeDocuments | undefined;
  /** Names of claims that become attributes. */
  readonly claims: readonly string[];
  /** Attribute → where in Envoy's dynamic metadata it stands. */
  readonly metadata: ReadonlyMap<string, { readonly namespace: string; readonly key: string }>;
}

/** Gives the attributes of callers. */
export interface AttributeSource {
  /** Another one when what it says of an ID may have changed. */
  readonly generation: number;
  /** The attributes, strongest source first, no name twice. */
  of(subject: AttributeSubject): readonly Attribute[];
  /** The text of `input.identity.attributes`; undefined when there are none. */
  json(subject: AttributeSubject): string | undefined;
}

/** The attributes that depend on the ID alone. */
interface Fixed {
  readonly attributes: readonly Attribute[];
  readonly names: ReadonlySet<string>;
  /** The members of the object, without its braces. */
  readonly text: string;
}

/** Creates a source. It remembers the text of up to 10,000 callers and 16 Mi characters, until the documents change. */
export function createAttributeSource({ templates, documents, claims, metadata }: AttributeOptions): AttributeSource {
  const known = createTextCache<Fixed>(({ text }) => text.length);
  let knownGeneration = documents?.generation ?? 0;
  const hasMore = claims.length > 0 || metadata.size > 0;

  function fixedOf({ spiffeId, verifiedBy }: AttributeSubject): Fixed {
    const generation = documents?.generation ?? 0;
    if (generation !== knownGeneration) {
      known.clear();
      knownGeneration = generation;
    }
    const key = verifiedBy + spiffeId.id;
    const found = known.get(key);
    if (found !== undefined) return found;
    const fixed = toFixed(spiffeId, verifiedBy);
    known.set(key, fixed);
    return fixed;
  }

  function toFixed(spiffeId: SpiffeId, verifiedBy: AttributeSubject["verifiedBy"]): Fixed {
    const attributes: Attribute[] = [];
    const names = new Set<string>();
    const isOurs = verifiedBy === "pdp";
    for (const [name, valueJson] of findAttributeData(documents?.current() ?? [], spiffeId)) {
      attributes.push({ name, valueJson, source: "data", trust: isOurs ? "operator" : "envoy" });
      names.add(name);
    }
    for (const [name, text] of matchTemplates(templates, spiffeId) ?? []) {
      if (names.has(name)) continue;
      attributes.push({ name, valueJson: JSON.stringify(text), source: "template", trust: isOurs ? "pdp" : "envoy" });
      names.add(name);
    }
    return { attributes, names, text: attributes.map(toMember).join(",") };
  }

  /** What this request says: the weaker sources, where the stronger have left a name free. */
  function furtherOf(subject: AttributeSubject, taken: ReadonlySet<string>): readonly Attribute[] {
    const attributes: Attribute[] = [];
    const isFree = (name: string): boolean =>
      !taken.has(name) && !attributes.some((attribute) => attribute.name === name);
    for (const name of subject.claims === undefined ? [] : claims) {
      const valueJson = isFree(name) ? toValueText(subject.claims?.get(name)) : undefined;
      if (valueJson !== undefined) attributes.push({ name, valueJson, source: "claim", trust: "issuer" });
    }
    for (const [name, { namespace, key }] of metadata) {
      const valueJson = isFree(name) ? toValueText(subject.filterMetadata(namespace, key)) : undefined;
      if (valueJson !== undefined) attributes.push({ name, valueJson, source: "envoy", trust: "envoy" });
    }
    return attributes;
  }

  return {
    get generation() {
      return documents?.generation ?? 0;
    },
    of: (subject) => {
      const { attributes, names } = fixedOf(subject);
      return hasMore ? [...attributes, ...furtherOf(subject, names)] : attributes;
    },
    json: (subject) => {
      const { names, text } = fixedOf(subject);
      const further = hasMore ? furtherOf(subject, names).map(toMember).join(",") : "";
      if (text === "" && further === "") return undefined;
      return `{${text}${text === "" || further === "" ? "" : ","}${further}}`;
    },
  };
}

const toMember = ({ name, valueJson, source, trust }: Attribute): string =>
  `${JSON.stringify(name)}:{"value":${valueJson},"source":"${source}","trust":"${trust}"}`;
