// `graph.reachable_paths` (v1/topdown/reachable.go): every path from the given nodes to where it ends or meets itself.

import { type RegoObject, RegoSet, type Value } from "../value.ts";
import { type BuiltinContext, BuiltinError, type BuiltinFamily, MAX_RESULT_ELEMENTS } from "./builtin.ts";
import { isArray, objectOperand, operandError } from "./operands.ts";

const neighboursOf = (edges: Value): readonly Value[] => {
  if (edges instanceof RegoSet) return edges.values;
  return isArray(edges) ? edges : [];
};

/** Longest path that is followed. */
const MAX_PATH_NODES = 1_000;

/** Steps of the budget: following an edge, and each node of the path that is copied for it. */
const STEPS = { step: 4_000, node: 300 } as const;

/** SECURITY: the number of paths grows exponentially with the graph, so their nodes are counted and bounded. */
class PathCollector {
  readonly paths: Value[] = [];
  #nodes = 0;
  readonly #graph: RegoObject;
  readonly #spend: BuiltinContext["spend"];

  constructor(graph: RegoObject, spend: BuiltinContext["spend"]) {
    this.#graph = graph;
    this.#spend = spend;
  }

  #add(path: readonly Value[]): void {
    this.#nodes += path.length + 1;
    if (this.#nodes > MAX_RESULT_ELEMENTS) throw new BuiltinError("graph.reachable_paths: too many paths");
    this.paths.push(path);
  }

  start(node: Value): void {
    const edges = this.#graph.get(node);
    if (edges === undefined) return;
    const neighbours = neighboursOf(edges);
    if (neighbours.length === 0) this.#add([node]);
    for (const neighbour of neighbours) this.#follow(neighbour, [node], RegoSet.of([node]));
  }

  #follow(node: Value, path: readonly Value[], reached: RegoSet): void {
    if (path.length > MAX_PATH_NODES) throw new BuiltinError("graph.reachable_paths: path too long");
    this.#spend(STEPS.step + path.length * STEPS.node);
    const edges = this.#graph.get(node);
    // A name without an entry in the graph ends the path before it.
    if (edges === undefined) {
      this.#add(path);
      return;
    }
    const longer = [...path, node];
    const neighbours = neighboursOf(edges);
    if (neighbours.length === 0) this.#add(longer);
    const met = RegoSet.of([...reached.values, node]);
    for (const neighbour of neighbours) {
      if (met.has(neighbour)) this.#add(longer);
      else this.#follow(neighbour, longer, met);
    }
  }
}

/** `graph.reachable_paths(graph, initial)`. */
export const graphBuiltins: BuiltinFamily = {
  "graph.reachable_paths"(args, { spend }) {
    const collector = new PathCollector(objectOperand(args, 0), spend);
    const initial = args[1];
    const nodes = initial instanceof RegoSet ? initial.values : initial;
    if (!isArray(nodes)) throw operandError(args, 1, "one of {array, set}");
    for (const node of nodes) collector.start(node);
    return RegoSet.of(collector.paths);
  },
};
