// Policies, data and inputs of the policy benchmark.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCheckRequest } from "../src/authz/check-request.ts";
import { systemClock } from "../src/base/clock.ts";
import { packageRoot } from "../src/base/package-root.ts";
import { loadPolicy } from "../src/policy/evaluator.ts";
import { writeInput } from "../src/policy/input.ts";
import { type LoadOptions, loadProgram, toPolicyOptions } from "../src/policy/load.ts";
import { toBenchRequest } from "./check-request.ts";

/** Evaluates `envoy/authz/allow` over JSON text. */
export type Evaluate = (input: string) => string;

/** What may differ between two copies of a policy. */
export type Variant = Partial<Pick<LoadOptions, "engine" | "strictBuiltinErrors" | "budgetSteps">>;

/** Makes policies ready to evaluate. */
export interface Policies {
  /** Roles in the policy, the user from a Basic header: OPA's own Envoy tutorial. */
  rbac(variant: Variant): Promise<Evaluate>;
  /** One row of `entries` looked up by the caller's name. */
  keyed(entries: number): Promise<Evaluate>;
  /** All of 200 rows looked at, one by one. */
  loop(variant: Variant): Promise<Evaluate>;
  /** Many builtins of OPA's module that have an error for some operands. */
  guarded(variant: Variant): Promise<Evaluate>;
  /** `input.token` verified with `data.keys`, for this issuer. */
  tokens(algorithm: "RS256" | "ES256", keys: string, issuer: string): Promise<Evaluate>;
}

const CALLER = "spiffe://example.org/ns/shop/sa/web";

const KEYED = `package envoy.authz

default allow := false

allow if {
	some method in data.users[input.source_principal].methods
	method == input.attributes.request.http.method
}
`;

const LOOP = `package envoy.authz

default allow := false

allow if {
	some row in data.rows
	row.caller == input.source_principal
	row.method == input.attributes.request.http.method
}
`;

const GUARDED = `package envoy.authz

default allow := false

allow if {
	every n in numbers.range(1, 10) {
		to_number(format_int(n, 10)) > 0
		100 / n > 1
	}
	input.attributes.request.http.method == "GET"
}
`;

const TOKENS = `package envoy.authz

default allow := false

allow if {
	[valid, _, claims] := io.jwt.decode_verify(input.token, {"cert": data.keys, "alg": "ALGORITHM", "iss": "ISSUER"})
	valid
	claims.sub == "web"
}
`;

/** What svidgate makes of the request of the benchmarks. */
export const WHOLE_INPUT = wholeInput();

/** What of it a compiler could know that these policies read. */
export const PRUNED_INPUT = prunedInput();

function wholeInput(): string {
  const request = readCheckRequest(toBenchRequest(), { fromHeaderMap: false });
  if (!request.ok) throw new Error("a request that cannot be read");
  const input = writeInput(request.value, undefined, {});
  if (!input.ok) throw new Error("a request without an input");
  return input.value;
}

function prunedInput(): string {
  const { attributes, parsed_path, source_principal } = JSON.parse(WHOLE_INPUT);
  const { method, headers } = attributes.request.http;
  const http = { method, headers: { authorization: headers.authorization } };
  return JSON.stringify({ parsed_path, source_principal, attributes: { request: { http } } });
}

/** `folder` takes the sources. */
export function createPolicies(folder: string): Policies {
  const load = async (path: string, data: string, variant: Variant): Promise<Evaluate> => {
    const options: LoadOptions = {
      paths: [path],
      dataFiles: [],
      regoVersion: "v1",
      entrypoint: "envoy/authz/allow",
      engine: "native",
      strictBuiltinErrors: true,
      maxMemoryBytes: 512 * 1024 * 1024,
      clock: systemClock,
      ...variant,
    };
    const program = await loadProgram(options);
    if (!program.ok) throw new Error(program.problems.join("\n"));
    const policy = loadPolicy(program.wasm, toPolicyOptions(options, data));
    return (input) => policy.evaluateTrusted(input, options.entrypoint);
  };
  const source = (name: string, text: string): string => {
    const path = join(folder, `${name}.rego`);
    writeFileSync(path, text);
    return path;
  };
  return {
    rbac: (variant) => load(join(packageRoot(), "bench/rbac.rego"), "{}", variant),
    keyed: (entries) => {
      const names = Array.from({ length: entries }, (_, at) => (at === entries >> 1 ? CALLER : `${CALLER}-${at}`));
      const users = Object.fromEntries(names.map((name) => [name, { methods: ["GET"], team: "shop" }]));
      return load(source("keyed", KEYED), JSON.stringify({ users }), {});
    },
    loop: (variant) => {
      const rows = Array.from({ length: 200 }, (_, at) => ({
        caller: at === 199 ? CALLER : `${CALLER}-${at}`,
        method: "GET",
      }));
      return load(source("loop", LOOP), JSON.stringify({ rows }), variant);
    },
    guarded: (variant) => load(source("guarded", GUARDED), "{}", variant),
    tokens: (algorithm, keys, issuer) => {
      const text = TOKENS.replace("ALGORITHM", algorithm).replace("ISSUER", issuer);
      return load(source(algorithm, text), JSON.stringify({ keys }), {});
    },
  };
}
