// The thread that evaluates tests: an evaluation cannot be interrupted, so the one that takes too long ends with its
// thread, and another thread goes on behind it.

import { performance } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { PolicyError } from "../policy-error.ts";
import { createTestEvaluator, type EvaluateTest } from "./evaluate-test.ts";
import type { WorkerMessage, WorkerTask } from "./worker-messages.ts";

async function run(task: WorkerTask, say: (message: WorkerMessage) => void): Promise<void> {
  let evaluate: EvaluateTest;
  try {
    evaluate = createTestEvaluator(task, () => performance.now());
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    say({ kind: "refused", problem: `${error.code}: ${error.message}` });
    return;
  }
  for (const [index, entrypoint] of task.entrypoints.entries()) {
    say({ kind: "start", index });
    say({ kind: "done", index, evaluation: await evaluate(entrypoint) });
  }
}

const port = parentPort;
if (port !== null) await run(workerData as WorkerTask, (message) => port.postMessage(message));
