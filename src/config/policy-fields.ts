// Fields that say which policy decides and how it is evaluated. See `fields.ts`.

import { bytes, type Field, flag, integerOrOff, oneOf, text } from "./field.ts";

const MIB = 1024 ** 2;

/** Parser, default and documentation of each. */
export const POLICY_FIELDS = {
  policyPaths: {
    key: "svidgate.policy.paths",
    live: true,
    flag: "policy",
    placeholder: "PATH",
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "path, repeatable",
    doc: "policy to decide by: a `.rego` file, a folder (read as `opa build` reads it, without `*_test.rego` and dot-files), a bundle `.tar.gz`, or a `policy.wasm`",
  },
  dataFiles: {
    key: "svidgate.policy.data",
    live: true,
    flag: "data",
    placeholder: "FILE",
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "path, repeatable",
    doc: "JSON or YAML document merged into `data`; two values for one key are an error",
  },
  regoVersion: {
    key: "svidgate.policy.rego_version",
    live: true,
    flag: "rego-version",
    placeholder: "v0|v1",
    fallback: "v1",
    parse: oneOf("v0", "v1"),
    kind: "`v0` or `v1`",
    doc: "Rego language version of `.rego` sources",
  },
  entrypoint: {
    key: "svidgate.policy.entrypoint",
    live: true,
    flag: "entrypoint",
    placeholder: "PATH",
    fallback: undefined,
    parse: text,
    kind: "path below `data`",
    doc: "the rule that decides; default `plugins.envoy_ext_authz_grpc.path`",
  },
  opaPath: {
    key: "plugins.envoy_ext_authz_grpc.path",
    live: true,
    fallback: "envoy/authz/allow",
    parse: text,
    kind: "path below `data`",
    doc: "OPA's key for the rule that decides",
  },
  engine: {
    key: "svidgate.policy.engine",
    live: true,
    fallback: "native",
    parse: oneOf("native", "opa-wasm"),
    kind: "`native` or `opa-wasm`",
    doc: "what runs the policy's WASM: svidgate's own host, or the npm package @open-policy-agent/opa-wasm (second engine; fewer builtins)",
  },
  strictBuiltinErrors: {
    key: "svidgate.policy.strict_builtin_errors",
    live: true,
    fallback: undefined,
    parse: flag,
    kind: "boolean",
    doc: "whether a builtin that fails denies the request (`policy_builtin_error`) instead of being undefined, so that an error in a rule that denies is no allow (docs/policies.md#strict-errors); default true, false under `compatibility: opa-envoy-plugin`",
  },
  budgetSteps: {
    key: "svidgate.policy.budget",
    live: true,
    fallback: "20000000",
    parse: integerOrOff(10_000, 2 ** 31 - 1),
    kind: "steps, or `off`",
    doc: "most work of one evaluation, in steps of about 32 WASM instructions: 2,000 to 5,000 are a microsecond, the default is 4 to 10 ms; more is `policy_budget`. `off` counts nothing, for policies whose work you have bounded yourself",
  },
  maxMemoryBytes: {
    key: "svidgate.policy.max_memory",
    live: true,
    fallback: "256MiB",
    parse: bytes(8 * MIB, 4096 * MIB),
    kind: "size",
    doc: "most memory that the policy's WASM may grow to, data included",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
