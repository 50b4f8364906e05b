// The builtins that run OPA's own Go code, where no library gives OPA's answers: JSON Schema, X.509 and private keys,
// GraphQL, Rego's syntax tree, Go's templates, YAML. Each call is bounded: operands by size, work by a counter that the
// module carries, which the evaluation's budget pays for.

import { type Builtin, type BuiltinContext, BuiltinError, type BuiltinFamily } from "../builtins/builtin.ts";
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
  "yaml.is_valid",
  "yaml.unmarshal",
];

/** Steps of the budget for one unit of the module's counter. PERF: a unit takes 4 to 6 ns, 2,000 steps are a microsecond. */
const STEPS_PER_UNIT = 10;
/** Most units of a call, whatever the budget: some 20 ms. */
const MAX_UNITS = 4_000_000;
/** Of builtins whose ordinary work is more: 50 ms and half a second. Memory for as many units is there. */
const MAX_UNITS_OF: Readonly<Record<string, number>> = {
  "rego.parse_module": 100_000_000,
  "yaml.is_valid": 10_000_000,
  "yaml.unmarshal": 10_000_000,
};
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

/**
 * The value of a YAML text that no evaluation pays for, such as an answer of HTTP; the first call may load the module.
 * Throws BuiltinError, PolicyError `policy_missing_builtin`.
 */
export function unmarshalYaml(text: string): Value {
  const unpaid = { nowUnixNs: 0n, spend: () => undefined, stepsLeft: () => Number.POSITIVE_INFINITY };
  return run("yaml.unmarshal", [text], unpaid) ?? null;
}

function createBuiltin(name: string): Builtin {
  return (args, context) => run(name, args, context);
}

type GoContext = Pick<BuiltinContext, "nowUnixNs" | "spend" | "stepsLeft">;

function run(name: string, args: readonly Value[], context: GoContext): Value | undefined {
  const request = printValue([name, ...args]);
  if (request.length > MAX_OPERAND_CHARS) {
    throw new BuiltinError(`operands: longer than ${MAX_OPERAND_CHARS} characters as text`);
  }
  const unitsLeft = Math.max(0, Math.floor(context.stepsLeft() / STEPS_PER_UNIT));
  const maxUnits = Math.min(unitsLeft, MAX_UNITS_OF[name] ?? MAX_UNITS);
  const { answer, units } = sharedReactor().call(toBytes(request), context.nowUnixNs, maxUnits);
  context.spend(units * STEPS_PER_UNIT + (answer.kind === "fault" ? RESTORE_STEPS : 0));
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
}

function toValue(text: string): Value {
  try {
    return parseDump(text);
  } catch (error) {
    throw new BuiltinError(`the result is not usable: ${error instanceof Error ? error.message : String(error)}`);
  }
}
