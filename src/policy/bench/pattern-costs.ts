// What a plan says of costs that no measurement of the host can name: the builtins inside OPA's module that compile a pattern,
// where svidgate's compiler has not put the host's in their place (natives.ts), as in a policy of `opa build`.
// PERF: what they compile lives in memory that each evaluation begins anew, so a pattern is compiled on every evaluation.

/** Measured on one core; docs/policies.md has the figures. */
const COMPILES: ReadonlyMap<string, string> = new Map([
  ["glob.match", "up to 18 µs"],
  ["regex.match", "up to 20 µs"],
  ["regex.is_valid", "up to 20 µs"],
  ["regex.find_all_string_submatch_n", "up to 20 µs"],
]);

/** One sentence that names such builtins of the plan (OPA's IR, JSON text); undefined when it has none, or is no plan. */
export function patternCosts(plan: string): string | undefined {
  const names = new Set(builtinNamesOf(plan));
  const found = [...names].flatMap((name) => {
    const cost = COMPILES.get(name);
    return cost === undefined || names.has(`host.${name}`) ? [] : [`\`${name}\` (${cost})`];
  });
  if (found.length === 0) return undefined;
  return `compiled again on each evaluation that comes to them: the patterns of ${found.join(", ")}; \`startswith\`, \`split\` and comparisons take about 2 µs`;
}

function builtinNamesOf(plan: string): readonly string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(plan);
  } catch {
    return [];
  }
  const { static: table } = (parsed ?? {}) as { readonly static?: { readonly builtin_funcs?: unknown } };
  const functions = table?.builtin_funcs;
  if (!Array.isArray(functions)) return [];
  return functions.flatMap((one: { readonly name?: unknown } | null) =>
    typeof one?.name === "string" ? [one.name] : [],
  );
}
