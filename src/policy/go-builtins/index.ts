// The builtins that run OPA's own Go code, where no library gives OPA's answers: JSON Schema, X.509 and private keys,
// GraphQL, Rego's syntax tree, Go's templates. Each call is bounded: operands by size, work by a counter that the
// module carries, which the evaluation's budget pays for.

import { type Builtin, BuiltinError, type BuiltinFamily } from "../builtins/builtin.ts";
import { parseDump, printValue, toBytes, type Value } from "../value.ts";
import { sharedReactor } from "./artifact.ts";
import { WARM_UP, WARM_UP_UNIX_NS } from "./warm-up.ts";

/**
 * Longest operands of a call, together, in characters of their value text. SECURITY: the work grows faster than the
 * operands, which the module's counter stops; with this limit copying them in is never what takes the time.
 */
const MAX_OPERAND_CHARS = 262_144;

const NAMES = [
  "crypto.parse_private_keys",
  "crypto.x509.parse_and_verify_certificates",
  "crypto.x509.parse_and_verify_certificates_with_options",
  "crypto.x509.parse_certificate_request",
  "crypto.x509.parse_certificates",
  "crypto.x509.parse_keypair",
  "crypto.x509.parse_rsa_private_key",
  "graphql.is_valid",
  "graphql.parse",
  "graphql.parse_and_verify",
  "graphql.parse_query",
  "graphql.parse_schema",
  "graphql.schema_is_valid",
  "json.match_schema",
  "json.verify_schema",
  "rego.parse_module",
  "strings.render_template",
];

/** Steps of the budget for one unit of the module's counter. PERF: a unit takes 4 to 6 ns, 2,000 steps are a microsecond. */
const STEPS_PER_UNIT = 10;
/** Most units of a call: some 20 ms. */
const MAX_UNITS = 4_000_000;
/**
 * Units that are paid before the call, for each character of the operands: for a builtin whose ordinary work is so much
 * that a call of ordinary size would reach {@link MAX_UNITS}.
 */
const UNITS_PER_CHAR: Readonly<Record<string, number>> = { "rego.parse_module": 2_500 };
/** Most units of a call that is paid before: half a second, which only a budget that allows it buys. */
const MAX_PREPAID_UNITS = 100_000_000;
/** What a fault costs besides its work: another state for the instance, some 5 ms. */
const RESTORE_STEPS = 10_000_000;

const WARM_UP_ROUNDS = 3;

/** The builtins, by name. A call loads the module if {@link prepareGoBuiltin} has not. */
export const goBuiltins: BuiltinFamily = Object.fromEntries(NAMES.map((name) => [name, createBuiltin(name)]));

const prepared = new Set<string>();

/**
 * Loads the module when `name` is one of its builtins, and runs that on a small example, so that the first request does
 * not wait: called when a policy is bound. Does nothing for other names. Throws PolicyError `policy_missing_builtin`.
 */
export function prepareGoBuiltin(name: string): void {
  if (prepared.has(name) || !Object.hasOwn(goBuiltins, name)) return;
  const reactor = sharedReactor();
  const operands = WARM_UP[name];
  if (operands !== undefined) {
    const request = Buffer.from(JSON.stringify([name, ...operands]));
    for (let round = 0; round < WARM_UP_ROUNDS; round++) reactor.call(request, WARM_UP_UNIX_NS, MAX_UNITS);
  }
  reactor.settle();
  prepared.add(name);
}

function createBuiltin(name: string): Builtin {
  return (args, context) => {
    const request = printValue([name, ...args]);
    if (request.length > MAX_OPERAND_CHARS) {
      throw new BuiltinError(`operands: longer than ${MAX_OPERAND_CHARS} characters as text`);
    }
    const prepaidUnits = request.length * (UNITS_PER_CHAR[name] ?? 0);
    context.spend(prepaidUnits * STEPS_PER_UNIT);
    const maxUnits = Math.min(Math.max(MAX_UNITS, 2 * prepaidUnits), MAX_PREPAID_UNITS);
    const { answer, units } = sharedReactor().call(toBytes(request), context.nowUnixNs, maxUnits);
    const owedUnits = Math.max(0, units - prepaidUnits);
    context.spend(owedUnits * STEPS_PER_UNIT + (answer.kind === "fault" ? RESTORE_STEPS : 0));
    switch (answer.kind) {
      case "undefined":
        return undefined;
      case "value":
        return toValue(answer.text);
      case "error":
        throw new BuiltinError(answer.message);
      case "fault":
        throw new BuiltinError(answer.outOfUnits ? "too much work" : `the builtin failed: ${answer.message}`);
    }
  };
}

function toValue(text: string): Value {
  try {
    return parseDump(text);
  } catch (error) {
    throw new BuiltinError(`the result is not usable: ${error instanceof Error ? error.message : String(error)}`);
  }
}
