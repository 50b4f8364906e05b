// Templates over a SPIFFE ID's path: `/ns/{namespace}/sa/{service_account}`, with `spiffe://example.org` before it for one trust
// domain. Segments are compared whole, and there are as many as the path has; `{name}` takes any one. No patterns, no
// wildcards, nothing optional: what a template says is what an ID looks like. SPEC: SPIFFE-ID §2 for what stands between names.

import { fail, ok, type Result } from "../base/result.ts";
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** What attributes are called: fit to follow a dot in Rego, and none of JavaScript's own. */
export const ATTRIBUTE_NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** One template. */
export interface AttributeTemplate {
  /** As it was written. */
  readonly text: string;
  /** Undefined: for every trust domain, federated ones too. */
  readonly trustDomain: string | undefined;
  readonly segments: readonly TemplateSegment[];
}

/** Either a text that must be there, or a name that takes what is there. */
export type TemplateSegment = { readonly text: string } | { readonly name: string };

const MAX_CHARS = 2048;
const SCHEME = "spiffe://";

/** Reads one template; it has at least one name, and none twice. */
export function parseAttributeTemplate(text: string): Result<AttributeTemplate, "template_invalid"> {
  const wrong = (why: string) => fail("template_invalid", why);
  if (text.length > MAX_CHARS) return wrong(`${text.length} characters: at most ${MAX_CHARS}`);
  const start = text.startsWith(SCHEME) ? text.indexOf("/", SCHEME.length) : 0;
  if (start < 0 || text[start] !== "/")
    return wrong(
      "expected a path such as `/ns/{namespace}/sa/{service_account}`, or one with `spiffe://TRUST_DOMAIN` before it",
    );
  const names = new Set<string>();
  const segments: TemplateSegment[] = [];
  for (const segment of text.slice(start + 1).split("/")) {
    const name = segment.startsWith("{") && segment.endsWith("}") ? segment.slice(1, -1) : undefined;
    if (name === undefined) {
      if (/[{}]/.test(segment)) return wrong(`\`${segment}\`: a name is a whole segment, such as \`{namespace}\``);
      segments.push({ text: segment });
      continue;
    }
    if (!ATTRIBUTE_NAME.test(name))
      return wrong(
        `\`{${name}}\`: a name is a lower-case letter, then lower-case letters, digits and \`_\`, 64 at most`,
      );
    if (names.has(name)) return wrong(`\`{${name}}\` stands twice: use two names`);
    names.add(name);
    segments.push({ name });
  }
  if (names.size === 0) return wrong("has no name such as `{namespace}`: nothing would come of it");
  // Whatever fits the template is an ID, so the template with names for values must be one.
  const domain = start === 0 ? "example.org" : text.slice(SCHEME.length, start);
  const path = segments.map((segment) => ("name" in segment ? "x" : segment.text)).join("/");
  const id = parseSpiffeId(`${SCHEME}${domain}/${path}`);
  if (!id.ok) return wrong(`no SPIFFE ID looks like this: ${id.code}`);
  return ok({ text, trustDomain: start === 0 ? undefined : domain, segments });
}

/** Name → value of the first template that the ID fits; undefined when it fits none. */
export function matchTemplates(
  templates: readonly AttributeTemplate[],
  { trustDomain, path }: SpiffeId,
): ReadonlyMap<string, string> | undefined {
  if (templates.length === 0 || path === "") return undefined;
  const found = path.slice(1).split("/");
  for (const template of templates) {
    if (template.trustDomain !== undefined && template.trustDomain !== trustDomain) continue;
    const names = matchSegments(template.segments, found);
    if (names !== undefined) return names;
  }
  return undefined;
}

function matchSegments(
  wanted: readonly TemplateSegment[],
  found: readonly string[],
): ReadonlyMap<string, string> | undefined {
  if (wanted.length !== found.length) return undefined;
  const names = new Map<string, string>();
  for (const [index, segment] of wanted.entries()) {
    const text = found[index] ?? "";
    if ("name" in segment) names.set(segment.name, text);
    else if (segment.text !== text) return undefined;
  }
  return names;
}
