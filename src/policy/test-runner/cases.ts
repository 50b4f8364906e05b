// The cases of a data-driven test (`test_x[name] if …`). Those that hold are members of the rule's object; those that do
// not are heard of only because the compiled test reports each case that it begins. SPEC: OPA v1/tester/runner.go.

import type { SourcePlace, TestCase } from "./result.ts";

/** A place within the test's file; both count from 1. */
export interface Step {
  readonly row: number;
  readonly col: number;
}

/** A case that was begun: its name, one part for each bracket of the rule's reference, and the last place it came to. */
export interface BegunCase {
  readonly name: readonly string[];
  readonly step?: Step;
}

interface Node {
  name: string;
  passed: boolean;
  failedAt?: SourcePlace;
  readonly cases: Map<string, Node>;
}

/** Cases in the order of their names; `value` is the rule's value as JSON, `toPlace` finds the line of a step. */
export function toCases(
  value: unknown,
  begun: readonly BegunCase[],
  toPlace: (step: Step) => SourcePlace,
): readonly TestCase[] {
  const root: Node = { name: "", passed: true, cases: fromValue(value) };
  for (const { name, step } of begun) {
    let at = root;
    for (const part of name) {
      let next = at.cases.get(part);
      if (next === undefined) {
        next = { name: part, passed: false, cases: new Map() };
        at.cases.set(part, next);
      }
      at = next;
    }
    if (!at.passed && step !== undefined) at.failedAt = toPlace(step);
  }
  return finish(root.cases);
}

function fromValue(value: unknown): Map<string, Node> {
  const cases = new Map<string, Node>();
  if (typeof value !== "object" || value === null || Array.isArray(value)) return cases;
  for (const [name, member] of Object.entries(value)) {
    const nested = fromValue(member);
    cases.set(name, { name, passed: nested.size > 0 || member === true, cases: nested });
  }
  return cases;
}

function finish(nodes: ReadonlyMap<string, Node>): readonly TestCase[] {
  return [...nodes.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, passed, failedAt, cases }) => {
      const nested = finish(cases);
      return {
        name,
        passed: passed && nested.every((one) => one.passed),
        ...(failedAt !== undefined && { failedAt }),
        cases: nested,
      };
    });
}
