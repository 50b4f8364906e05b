// Evaluates entrypoints in threads, each evaluation within a time: whoever exceeds it ends with its thread, and the
// next thread begins behind it. A thread that breaks costs one test as well.

import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Evaluation, WorkerMessage, WorkerTask } from "./worker-messages.ts";

/** The evaluations in the order of entrypoints, or why the module could not be loaded. */
export type RunEntrypoints =
  | { readonly ok: true; readonly evaluations: readonly Evaluation[] }
  | { readonly ok: false; readonly problem: string };

/** Evaluates all; `onEvaluation` hears of each as it is done. */
export async function runEntrypoints(
  task: WorkerTask,
  timeoutMs: number,
  onEvaluation: (index: number, evaluation: Evaluation) => void = () => undefined,
): Promise<RunEntrypoints> {
  const evaluations: Evaluation[] = [];
  while (evaluations.length < task.entrypoints.length) {
    const rest = { ...task, entrypoints: task.entrypoints.slice(evaluations.length) };
    const end = await runThread(rest, timeoutMs, (evaluation) => {
      evaluations.push(evaluation);
      onEvaluation(evaluations.length - 1, evaluation);
    });
    if (end.refused !== undefined) return { ok: false, problem: end.refused };
    if (end.failed !== undefined && evaluations.length < task.entrypoints.length) {
      evaluations.push(end.failed);
      onEvaluation(evaluations.length - 1, end.failed);
    }
  }
  return { ok: true, evaluations };
}

/** How a thread ended: by itself (nothing), with an evaluation that failed, or without having loaded the module. */
interface ThreadEnd {
  readonly failed?: Evaluation;
  readonly refused?: string;
}

function runThread(
  task: WorkerTask,
  timeoutMs: number,
  onEvaluation: (evaluation: Evaluation) => void,
): Promise<ThreadEnd> {
  return new Promise((resolve) => {
    const name = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
    const worker = new Worker(fileURLToPath(new URL(name, import.meta.url)), { workerData: task, env: {} });
    let timer: NodeJS.Timeout | undefined;
    let end: ThreadEnd = {};
    const failWith = (code: string, message: string, durationMs: number): void => {
      end = { failed: { error: { code, message }, durationMs, output: [], begun: [], covered: [] } };
    };
    worker.on("message", (message: WorkerMessage) => {
      clearTimeout(timer);
      if (message.kind === "refused") end = { refused: message.problem };
      if (message.kind === "done") onEvaluation(message.evaluation);
      if (message.kind !== "start") return;
      timer = setTimeout(() => {
        failWith("timeout", `not done after ${timeoutMs} ms: \`--timeout\` sets the time`, timeoutMs);
        worker.terminate().catch(() => undefined);
      }, timeoutMs);
    });
    worker.once("error", (error) => failWith("internal", error instanceof Error ? error.message : String(error), 0));
    worker.once("exit", (code) => {
      clearTimeout(timer);
      if (code !== 0 && end.failed === undefined && end.refused === undefined)
        failWith("internal", `the thread ended with ${code}`, 0);
      resolve(end);
    });
  });
}
