// Which tests `--run` names: those whose full path (`data.p_test.test_x`) the expression matches anywhere.
// SPEC: `opa test --run`; RE2 syntax, as Go's regexp.

import { RE2JS } from "re2js";
import { fail, ok, type Result } from "../../base/result.ts";

/** Compiles the expression into a test of paths. */
export function parseFilter(expression: string): Result<(path: string) => boolean, "filter_syntax"> {
  try {
    const pattern = RE2JS.compile(expression);
    return ok((path) => pattern.matcher(path).find());
  } catch (error) {
    return fail("filter_syntax", error instanceof Error ? error.message : String(error));
  }
}
