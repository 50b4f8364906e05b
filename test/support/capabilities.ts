// capabilities.json: OPA's document of what svidgate's compiler and host support together, for the OPA CLI, Regal and
// editors. `print` and the cases of data-driven tests are there as well, so that `opa test` runs with it.

import { builtinNames } from "../../src/policy/builtins/index.ts";
import { compilerCapabilities, TEST_BUILTINS } from "../../src/policy/compiler/index.ts";
import { PRINT_BUILTIN } from "../../src/policy/print-builtin.ts";

/** The document's text, with its line feed. */
export const capabilities = (): Promise<string> =>
  compilerCapabilities([...builtinNames, PRINT_BUILTIN, TEST_BUILTINS.case]);
