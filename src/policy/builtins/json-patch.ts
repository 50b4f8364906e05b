// `json.patch` (RFC 6902) as OPA v1/topdown/json.go does it: also within sets, with paths of any values, and with OPA's
// reading of a path: text with or without leading slashes, or an array of segments.
// Where OPA's server panics (the root replaced by another type and then edited, scalars and composites shifted past each
// other in an array), the answer is the one of the RFC.

import { compareValues, MAX_VALUE_DEPTH, RegoNumber, RegoObject, RegoSet, type Value } from "../value.ts";
import { type BuiltinContext, BuiltinError, type BuiltinFamily, MAX_RESULT_CHARS } from "./builtin.ts";
import { type EditPath, EditTree } from "./edit-tree.ts";
import { toJsonPath } from "./json-path.ts";
import { arrayOperand, kindOf } from "./operands.ts";

/** Steps for one value that is copied while a part of the document is rendered. */
const STEPS_PER_VALUE = 200;
const STEPS_PER_OPERATION = 8_000;

function member(operation: RegoObject, name: string): Value {
  const value = operation.get(name);
  if (value === undefined) throw new BuiltinError(`missing required attribute '${name}'`);
  return value;
}

/** How large a value is. */
interface Extent {
  /** About as many as its text has. */
  readonly characters: number;
  readonly depth: number;
}

/**
 * What goes into the document. SECURITY: `copy` of the root into itself doubles a document, in size or in depth, with every
 * operation, while all of it is shared; so the parts of a value are measured once, and what is put in is added up.
 */
class Growth {
  readonly #known = new WeakMap<object, Extent>();
  #left = MAX_RESULT_CHARS;

  add(path: EditPath, value: Value): Value {
    const { characters, depth } = this.#measure(value);
    this.#left -= characters;
    if (this.#left < 0) throw new BuiltinError("json.patch: result too long");
    if (path.length + depth > MAX_VALUE_DEPTH) throw new BuiltinError("json.patch: result too deep");
    return value;
  }

  #measure(value: Value): Extent {
    if (value === null || typeof value === "boolean") return { characters: 5, depth: 0 };
    if (typeof value === "string") return { characters: value.length + 3, depth: 0 };
    if (value instanceof RegoNumber) return { characters: value.text.length + 1, depth: 0 };
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    let characters = 3;
    let deepest = 0;
    for (const part of partsOf(value)) {
      const extent = this.#measure(part);
      characters += extent.characters;
      deepest = Math.max(deepest, extent.depth);
    }
    const extent = { characters, depth: deepest + 1 };
    this.#known.set(value, extent);
    return extent;
  }
}

const partsOf = (value: RegoObject | RegoSet | readonly Value[]): readonly Value[] =>
  value instanceof RegoObject ? value.entries.flat() : value instanceof RegoSet ? value.values : value;

function patch(source: Value, operations: readonly Value[], context: BuiltinContext): Value {
  const tree = new EditTree(source, (count) => context.spend(count * STEPS_PER_VALUE));
  const growth = new Growth();
  for (const operation of operations) {
    if (!(operation instanceof RegoObject)) {
      throw new BuiltinError("must be an array of JSON-Patch objects, but at least one element is not an object");
    }
    context.spend(STEPS_PER_OPERATION);
    apply(tree, operation, growth);
  }
  const patched = tree.renderAt([]);
  if (patched === undefined) throw new BuiltinError("nothing is left of the document");
  return patched;
}

function apply(tree: EditTree, operation: RegoObject, growth: Growth): void {
  const rawPath = member(operation, "path");
  const op = member(operation, "op");
  if (typeof op !== "string") throw new BuiltinError(`attribute 'op' must be a string but found: ${kindOf(op)}`);
  const path = toJsonPath(rawPath);
  switch (op) {
    case "add":
      tree.insertAt(path, growth.add(path, member(operation, "value")));
      return;
    case "remove":
      tree.deleteAt(path);
      return;
    case "replace":
      tree.deleteAt(path);
      tree.insertAt(path, growth.add(path, member(operation, "value")));
      return;
    case "move":
    case "copy": {
      const from = toJsonPath(member(operation, "from"));
      const chunk = tree.renderAt(from);
      if (op === "move") tree.deleteAt(from);
      if (chunk === undefined) throw new BuiltinError("cannot insert nil value into EditTree");
      tree.insertAt(path, growth.add(path, chunk));
      return;
    }
    case "test": {
      const chunk = tree.renderAt(path);
      if (chunk !== undefined && compareValues(chunk, member(operation, "value")) === 0) return;
      throw new BuiltinError("value from EditTree != patch value");
    }
    default:
      throw new BuiltinError(`unrecognized op: '${op}'`);
  }
}

/** `json.patch(object, patches)`. */
export const jsonPatchBuiltins: BuiltinFamily = {
  "json.patch": (args, context) => patch(args[0] ?? null, arrayOperand(args, 1), context),
};
