// Writes the input document of a policy as one JSON text: opa-envoy-plugin's document (envoyauth/request.go) and one key of
// ours, `identity`. Every check of path, query and body happens here, on every request, whatever the policy reads.
// Order as in the plugin, since the first problem is the one reported: path, query, body.

import { ok, type Result } from "../base/result.ts";
import { type BodyFacts, parseBody } from "./body/parse-body.ts";
import type { ProtoDescriptor } from "./body/proto-descriptor.ts";
import { quoteJson } from "./byte-text.ts";
import { parseTarget } from "./request-path.ts";

/** What the document is made of; the CheckRequest view has this shape. */
export interface RequestFacts extends BodyFacts {
  /** The request's attributes as JSON text; undefined when there are none. */
  attributesJson(): string | undefined;
  /** The request target, query included. */
  readonly path: string;
  /** Envoy's `source.principal`, `""` when there is none. */
  readonly principal: string;
}

/** How the document is written. */
export interface InputOptions {
  /** Leaves `parsed_body` and `truncated_body` out and reads no body. Default false. */
  readonly skipRequestBodyParse?: boolean;
  /** The services whose gRPC bodies are decoded; without it none are. */
  readonly protoDescriptor?: ProtoDescriptor;
}

const VERSION = '"version":{"encoding":"protojson","ext_authz":"v3"}';

/**
 * The input document. `identityJson` becomes `input.identity` as it is; undefined leaves the key out.
 * Code `request_malformed`: path, query or body cannot be parsed; the detail is the plugin's sentence.
 */
export function writeInput(
  facts: RequestFacts,
  identityJson: string | undefined,
  options: InputOptions,
): Result<string, "request_malformed"> {
  const target = parseTarget(facts.path);
  if (!target.ok) return target;
  let json = `{${VERSION},"parsed_path":${target.value.pathJson},"parsed_query":${target.value.queryJson}`;
  if (options.skipRequestBodyParse !== true) {
    const body = parseBody(facts, target.value.segments, options.protoDescriptor);
    if (!body.ok) return body;
    json += `,"parsed_body":${body.value.json},"truncated_body":${body.value.truncated}`;
  }
  if (facts.principal !== "") json += `,"source_principal":${quoteJson(facts.principal)}`;
  if (identityJson !== undefined) json += `,"identity":${identityJson}`;
  const attributes = facts.attributesJson();
  if (attributes !== undefined) json += `,"attributes":${attributes}`;
  return ok(`${json}}`);
}
