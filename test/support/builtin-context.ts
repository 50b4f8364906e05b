// A context for builtins that are called directly, without an evaluation around them: fixed time, no budget, no answers.

import { createBuiltinContext } from "../../src/policy/builtin-bridge.ts";
import type { Answer, BuiltinContext } from "../../src/policy/builtins/builtin.ts";

/** The context of an evaluation at this instant, nanoseconds since 1970. */
export const builtinContextAt = (nowUnixNs: bigint, answers: Map<string, Answer> = new Map()): BuiltinContext =>
  createBuiltinContext({ nowUnixNs, memo: new Map(), answers, effects: 0, steps: 0 }, () => undefined);
