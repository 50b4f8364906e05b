// Paths into a document, as `json.filter`, `json.remove` and `json.patch` take them (OPA v1/topdown/json.go, parsePath):
// text with or without leading slashes (RFC 6901 without its rule that text begins with one), or an array of segments.

import { RegoSet, type Value } from "../value.ts";
import { BuiltinError } from "./builtin.ts";
import { KeyTable } from "./key-table.ts";
import { isArray, kindOf } from "./operands.ts";

/** The segments of a path, from the root on. */
export type JsonPath = readonly Value[];

/** The segments of a path; none of the empty text, which is the document itself. Throws BuiltinError. */
export function toJsonPath(path: Value): JsonPath {
  if (isArray(path)) return path;
  if (typeof path !== "string") {
    throw new BuiltinError(
      `operand 2 must be one of {set, array} containing string paths or array of path segments but got ${kindOf(path)}`,
    );
  }
  if (path === "") return [];
  const segments = path.replace(/^\/+/, "").split("/");
  return segments.map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Paths that share their beginnings: under each segment what goes on from there, or `true` where a path ends. */
export type PathTree = KeyTable<PathTree | true>;

/** Operand 2 of `json.filter` and `json.remove`, an array or set of paths. A path to the root counts for nothing. */
export function pathTreeOperand(args: readonly Value[]): PathTree {
  const operand = args[1];
  const paths = operand instanceof RegoSet ? operand.values : operand;
  if (!isArray(paths)) throw new BuiltinError(`operand 2 must be one of {set, array} but got ${kindOf(operand)}`);
  const root: PathTree = new KeyTable();
  for (const path of paths.map(toJsonPath)) plant(root, path);
  return root;
}

/** What is below the end of another path changes nothing. */
function plant(root: PathTree, path: JsonPath): void {
  const last = path.at(-1);
  if (last === undefined) return;
  let node = root;
  for (const segment of path.slice(0, -1)) {
    const known = node.get(segment);
    if (known === true) return;
    const next: PathTree = known ?? new KeyTable();
    if (known === undefined) node.set(segment, next);
    node = next;
  }
  node.set(last, true);
}
