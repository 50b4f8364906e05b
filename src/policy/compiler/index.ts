// The door of the Rego compiler: everything else in this folder is its inside.

export { shippedCompiler } from "./artifact.ts";
export {
  type CompileCode,
  type CompiledPolicy,
  type CompileOptions,
  type CompileResult,
  compileRego,
  compileRegoBatch,
  compilerCapabilities,
  type PlanBinding,
} from "./compile.ts";
export { formatCompileErrors } from "./format-errors.ts";
export type {
  CompiledManifest,
  CompileError,
  CompileRequest,
  CoveredFile,
  CoveredRange,
  PolicyAnnotation,
  QueryExpression,
  SourceFile,
  TestRule,
  WasmResolver,
} from "./wire.ts";
export { BUILTIN_FAILED, COVER_BUILTIN, HOST_PREFIX, TEST_BUILTINS } from "./wire.ts";
