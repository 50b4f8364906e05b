// An HTTP answer and the object that a policy gets of it. SPEC: OPA 1.22.2, `prepareASTResult`.

import { fromBytes } from "../../value/bytes.ts";
import { RegoNumber, RegoObject, type Value } from "../../value.ts";
import { decodeJsonPrefix, decodeYaml } from "./decode-body.ts";
import { firstOf } from "./freshness.ts";

/** An answer, read whole. */
export interface HttpAnswer {
  /** `200 OK`. */
  readonly status: string;
  readonly statusCode: number;
  /** By lower-case name, in the order in which they came. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Buffer;
}

/** What `http.send` returns. */
export function toResult(answer: HttpAnswer, forceJson: boolean, forceYaml: boolean): Value {
  return RegoObject.of([
    ["status", answer.status],
    ["status_code", RegoNumber.of(answer.statusCode)],
    ["body", decodeBody(answer, forceJson, forceYaml)],
    ["raw_body", fromBytes(answer.body)],
    ["headers", RegoObject.of([...answer.headers].map(([name, values]) => [name, values] as const))],
  ]);
}

/** What `http.send` returns for a failure under `raise_error: false`. */
export const toErrorResult = (message: string, isNetwork: boolean): Value =>
  RegoObject.of([
    ["status_code", RegoNumber.of(0)],
    [
      "error",
      RegoObject.of([
        ["code", isNetwork ? "eval_http_send_network_error" : "eval_http_send_internal_error"],
        ["message", message],
      ]),
    ],
  ]);

/** SPEC: a body that is not what it claims to be is null. */
function decodeBody(answer: HttpAnswer, forceJson: boolean, forceYaml: boolean): Value {
  const type = firstOf(answer, "content-type");
  if (forceJson || isJsonType(type)) return decodeJsonPrefix(answer.body) ?? null;
  if (forceYaml || /application\/(?:x-)?yaml/.test(type)) return decodeYaml(answer.body) ?? null;
  return null;
}

const PARAMETER =
  /^\s*;\s*[!#$%&'*+\-.^_`|~0-9A-Za-z]+\s*=\s*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[^"\\\r\n]|\\.)*")\s*/;

/** SPEC: Go's `mime.ParseMediaType`: `application/json` or `application/…+json`, with parameters that can be read. */
export function isJsonType(contentType: string): boolean {
  const [base = ""] = contentType.split(";", 1);
  if (!/^application\/(?:json|[!#$%&'*+\-.^_`|~0-9a-z]*\+json)$/.test(base.trim().toLowerCase())) return false;
  let rest = contentType.slice(base.length);
  for (let parameter = PARAMETER.exec(rest); parameter !== null; parameter = PARAMETER.exec(rest))
    rest = rest.slice(parameter[0].length);
  return /^\s*;?\s*$/.test(rest);
}
