// Load for the benchmarks: h2load on a core of its own, and what it printed as numbers.

import { spawnSync } from "node:child_process";
import { CHECK_PATH } from "../src/server/listener.ts";

const GRPC_HEADERS = ["content-type: application/grpc", "te: trailers"];

/** Figures of one run. */
export interface LoadFigures {
  readonly checksPerSecond: number;
  readonly failed: number;
  /** Answers with status 200. */
  readonly ok: number;
  /** Milliseconds, of all requests. */
  readonly meanMs: number;
  readonly maxMs: number;
}

/** One run of h2load. */
export interface LoadOptions {
  readonly port: number;
  /** A file with the gRPC message (five bytes of prefix, then the CheckRequest) for a Check; a GET of `path` without. */
  readonly body?: string;
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly requests: number;
  readonly connections: number;
  /** Checks in flight on each connection. */
  readonly streams: number;
  /** The core that makes the load. */
  readonly core: number;
}

/** Runs h2load (Debian's nghttp2-client). Throws when it is missing or printed no figures. */
export function runLoad(options: LoadOptions): LoadFigures {
  const run = spawnSync(
    "taskset",
    [
      "-c",
      String(options.core),
      "h2load",
      "-t",
      "1",
      "-n",
      String(options.requests),
      "-c",
      String(options.connections),
      "-m",
      String(options.streams),
      ...(options.body === undefined ? [] : ["-d", options.body]),
      ...(options.headers ?? GRPC_HEADERS).flatMap((line) => ["-H", line]),
      `http://127.0.0.1:${options.port}${options.path ?? CHECK_PATH}`,
    ],
    { encoding: "utf8", timeout: 120_000 },
  );
  const text = run.stdout ?? "";
  const rate = /finished in [^,]+, ([\d.]+) req\/s/.exec(text)?.[1];
  const failed = /(\d+) failed/.exec(text)?.[1];
  const times = /time for request:\s+(\S+)\s+(\S+)\s+(\S+)/.exec(text);
  if (rate === undefined || failed === undefined || times === null) {
    throw new Error(
      `h2load gave no figures (is nghttp2-client installed?): ${run.error?.message ?? run.stderr}${text}`,
    );
  }
  return {
    checksPerSecond: Number(rate),
    failed: Number(failed),
    ok: Number(/status codes: (\d+) 2xx/.exec(text)?.[1]),
    maxMs: toMs(times[2] ?? ""),
    meanMs: toMs(times[3] ?? ""),
  };
}

function toMs(text: string): number {
  const [, digits, unit] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? [];
  return Number(digits) * ({ us: 1e-3, ms: 1, s: 1e3 }[unit ?? ""] ?? Number.NaN);
}
