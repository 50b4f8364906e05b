// Steady load on an Envoy: a few callers in a closed loop over connections that stay open, every status counted.

import { Agent, request } from "node:https";

export interface Load {
  /** Answers so far, by status; connection errors by message. */
  readonly counts: ReadonlyMap<string, number>;
  /** Resolves when so many further requests have been answered. */
  answered(further: number): Promise<void>;
  /** Lets the requests in flight finish. */
  stop(): Promise<void>;
}

const sum = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((all, count) => all + count, 0);

/** Starts `callers` loops of `GET path`. */
export function startLoad(port: number, path: string, callers: number, serverPem: string): Load {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: callers,
    ca: serverPem,
    checkServerIdentity: () => undefined,
  });
  const counts = new Map<string, number>();
  const waiting = new Set<() => void>();
  let stopped = false;
  const count = (what: string): void => {
    counts.set(what, (counts.get(what) ?? 0) + 1);
    for (const check of waiting) check();
  };
  const once = (): Promise<void> =>
    new Promise((resolve) => {
      const sent = request({ host: "127.0.0.1", port, path, agent }, (response) => {
        response.resume();
        response.once("end", () => {
          count(String(response.statusCode));
          resolve();
        });
      });
      sent.once("error", (error) => {
        count(error.message);
        resolve();
      });
      sent.end();
    });
  const loop = async (): Promise<void> => {
    while (!stopped) await once();
  };
  const loops = Array.from({ length: callers }, loop);
  return {
    counts,
    answered: (further) =>
      new Promise((resolve) => {
        const goal = sum(counts) + further;
        const check = (): void => {
          if (sum(counts) < goal) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
      }),
    stop: async () => {
      stopped = true;
      await Promise.all(loops);
      agent.destroy();
    },
  };
}
