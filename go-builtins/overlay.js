// Puts the files of overlay/ into a copy of OPA's sources, in the place of those that would link an HTTP client, the
// evaluator and OPA's past into the module: `node overlay.js <folder of the copy>`. Called by build-wasm.sh.
// The builtins' own files are OPA's, unchanged.
import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const [opa] = process.argv.slice(2);
const KEPT_OF_TOPDOWN = new Set(["crypto.go", "encoding.go", "graphql.go", "jsonschema.go", "parse.go", "template.go"]);

for (const name of readdirSync(join(opa, "v1/topdown"))) {
  if (name.endsWith(".go") && !KEPT_OF_TOPDOWN.has(name)) rmSync(join(opa, "v1/topdown", name));
}
for (const name of ["close.go", "read_gzip_body.go"]) rmSync(join(opa, "v1/util", name)); // HTTP bodies
const PLACES = {
  "capabilities.go": "capabilities/capabilities.go",
  "json_loader.go": "internal/gojsonschema/jsonLoader.go",
  "topdown.go": "v1/topdown/builtins.go",
};
for (const [name, place] of Object.entries(PLACES))
  copyFileSync(join(import.meta.dirname, "overlay", name), join(opa, place));
