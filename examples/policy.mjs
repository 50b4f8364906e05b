// Evaluates a policy in your own program, with the package export `svidgate/policy`.
//
//   node examples/policy.mjs policy.wasm '{"method": "GET", "user": "alice"}' [entrypoint] [data.json]
//
// policy.wasm comes from `svidgate build`, or from `opa build -t wasm`.

import { readFileSync } from "node:fs";
import { loadPolicy, PolicyError } from "svidgate/policy";

const [wasmFile, input, entrypoint, dataFile] = process.argv.slice(2);
if (wasmFile === undefined) {
  process.stderr.write("usage: node examples/policy.mjs POLICY.WASM [INPUT [ENTRYPOINT [DATA.JSON]]]\n");
  process.exit(2);
}

try {
  // Compiles and links once; a policy evaluates as often as you like.
  const policy = loadPolicy(readFileSync(wasmFile), {
    data: dataFile === undefined ? "{}" : readFileSync(dataFile, "utf8"),
    onPrint: (line) => process.stderr.write(`${line}\n`),
  });
  // OPA's result set as JSON text: `[]` when the rule is undefined.
  const text = policy.evaluate(input, { entrypoint: entrypoint ?? policy.entrypoints[0] ?? "" });
  process.stdout.write(`${text}\n`);
  const [first] = JSON.parse(text);
  process.exitCode = first?.result === true ? 0 : 1;
} catch (error) {
  // The code is one of a closed set, and the next evaluation is not affected.
  if (!(error instanceof PolicyError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 70;
}
