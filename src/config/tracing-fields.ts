// Fields of tracing: where spans go and which decisions get one. See `fields.ts`.

import { fail, ok } from "../base/result.ts";
import { type Field, type FieldParser, oneOf, text } from "./field.ts";

/** A collector's full URL; without a path OTLP's own, `/v1/traces`, is added. */
const otlpEndpoint: FieldParser<string> = (value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    return fail("field_invalid", "expected a URL such as http://127.0.0.1:4318");
  }
  if (url.username !== "" || url.password !== "") {
    return fail("field_invalid", "a URL must not hold credentials; let a collector beside svidgate add them");
  }
  if (url.search !== "" || url.hash !== "")
    return fail("field_invalid", "a URL without query and fragment is expected");
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return ok(url.href);
};

/** Parser, default and documentation of each. */
export const TRACING_FIELDS = {
  tracingEndpoint: {
    key: "svidgate.tracing.otlp_endpoint",
    fallback: undefined,
    parse: otlpEndpoint,
    kind: "URL",
    doc: "OTLP/HTTP collector that gets one span per decision, as JSON; not set, there are none. `/v1/traces` is added to a URL without a path",
  },
  tracingSample: {
    key: "svidgate.tracing.sample",
    fallback: "parent",
    parse: oneOf("parent", "parent_or_denied", "all"),
    kind: "`parent`, `parent_or_denied` or `all`",
    doc: "decisions that get a span: those of requests whose caller records the trace, with every decision that is no allow, or all",
  },
  tracingServiceName: {
    key: "svidgate.tracing.service_name",
    fallback: "svidgate",
    parse: text,
    kind: "text",
    doc: "`service.name` of the spans",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
