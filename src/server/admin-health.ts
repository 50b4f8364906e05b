// `/health` as OPA answers it. SPEC: OPA 1.22 REST API, "Health API": `?bundles` (or the older `?bundle`), `?plugins`,
// `?exclude-plugin=NAME`; a parameter counts when it is empty or `true`. 200 `{}` or 500 `{"error": …}`.
// OPA's policy-based `/health/live` and `/health/ready` are not here: `/livez` and `/readyz` are.

export type PluginState = "OK" | "NOT_READY" | "ERROR" | "WARN";

/** What OPA's health check asks about. */
export interface HealthFacts {
  /** Whether a policy can be evaluated at all. */
  readonly canEvaluate: boolean;
  /** Configured bundles that have never been activated, by name. */
  readonly inactiveBundles: readonly string[];
  /** State by OPA's plugin name: `bundle`, `discovery`, `decision_logs`, `status`, `envoy_ext_authz_grpc`. */
  readonly plugins: Readonly<Record<string, PluginState>>;
}

/** Why OPA would call this unhealthy; undefined when it would not. */
export function unhealthyReason(facts: HealthFacts, query: URLSearchParams): string | undefined {
  if (!facts.canEvaluate) return "unable to perform evaluation";
  if (isAsked(query, "bundles") || isAsked(query, "bundle")) {
    const { inactiveBundles } = facts;
    if (inactiveBundles.length > 0) return `one or more bundles are not activated: ${inactiveBundles.join(", ")}`;
    if (["discovery", "bundle"].some((name) => !isUp(facts.plugins[name])))
      return "one or more bundles are not activated";
  }
  if (isAsked(query, "plugins")) {
    const excluded = new Set(query.getAll("exclude-plugin"));
    const down = Object.entries(facts.plugins).some(([name, state]) => !excluded.has(name) && !isUp(state));
    if (down) return "one or more plugins are not up";
  }
  return undefined;
}

const isUp = (state: PluginState | undefined): boolean => state === undefined || state === "OK";

function isAsked(query: URLSearchParams, name: string): boolean {
  const values = query.getAll(name);
  if (values.length === 1 && values[0] === "") return true;
  return values.some((value) => value.toLowerCase() === "true");
}
