// Runs frame-load.ts on a core of its own and gives its figures.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FrameLoadFigures } from "./frame-load.ts";

/** See frame-load.ts. */
export interface FrameLoad {
  readonly port: number;
  /** A file of gRPC messages, which are sent in turn. */
  readonly bodies: string;
  readonly core: number;
  /** The server's, for its CPU time. */
  readonly pid: number;
  /** Default 8. */
  readonly connections?: number;
  /** Checks in flight on each; default 32. */
  readonly streams?: number;
  /** How much: checks in all, or seconds. */
  readonly checks?: number;
  readonly seconds?: number;
  /** Seconds before that which do not count. */
  readonly warmUp?: number;
  /** Checks a second, sent on time; a closed loop without. */
  readonly rate?: number;
}

const PROGRAM = fileURLToPath(new URL("./frame-load.js", import.meta.url));
const TIMEOUT_MS = 120_000;

function toWords(load: FrameLoad): readonly string[] {
  const {
    core,
    port,
    bodies,
    pid,
    connections = 8,
    streams = 32,
    checks = 0,
    seconds = 3,
    warmUp = 0,
    rate = 0,
  } = load;
  const options = { pid, connections, streams, checks, seconds, "warm-up": warmUp, rate };
  return [
    ...["-c", String(core), process.execPath, PROGRAM, String(port), bodies],
    ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ];
}

/** Throws with its words when it fails. */
export function runFrameLoad(load: FrameLoad): FrameLoadFigures {
  const run = spawnSync("taskset", toWords(load), { encoding: "utf8", timeout: TIMEOUT_MS });
  if (run.status !== 0) throw new Error(`the load ended: ${run.error?.message ?? run.stderr}`);
  return JSON.parse(run.stdout) as FrameLoadFigures;
}
