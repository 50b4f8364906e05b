// The hostile peers of a soak as a program: each attack of attacks.ts again and again, a pause after each, until standard input ends;
// then what came of them as JSON. `hostile.js PORT PAUSE_MS [CA FILE]`.

import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { FRAME } from "../../test/support/h2-frames.ts";
import { ATTACKS, type Attack } from "./attacks.ts";
import { connect, type Target } from "./connect.ts";

/** What came of one attack. */
export interface AttackFigures {
  connections: number;
  /** Connections that the server ended. */
  ended: number;
  /** … with GOAWAY, by error code. */
  readonly goaways: Record<string, number>;
}

const [port = "", pauseMs = "", caFile] = process.argv.slice(2);
const target: Target = {
  port: Number(port),
  caPem: caFile === undefined ? undefined : readFileSync(caFile, "utf8"),
};
const stopped = new AbortController();
setMaxListeners(Object.keys(ATTACKS).length, stopped.signal);
process.stdin.once("end", () => stopped.abort());
process.stdin.resume();

/** One connection's life; resolves when it is gone. */
function live(attack: Attack, figures: AttackFigures): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(target);
    let isOpen = true;
    let isOver = false;
    let rest = Buffer.alloc(0);
    figures.connections++;
    socket.on("error", () => undefined);
    // A server that ends its side is done with us.
    socket.on("end", () => {
      isOpen = false;
    });
    socket.once("close", () => {
      isOpen = false;
      if (!isOver) figures.ended++;
      resolve();
    });
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const length = rest.readUIntBE(0, 3);
        if (rest[3] === FRAME.GOAWAY) {
          const code = String(rest.readUInt32BE(13));
          figures.goaways[code] = (figures.goaways[code] ?? 0) + 1;
        }
        rest = rest.subarray(9 + length);
      }
    });
    // A socket that its attack has paused is read at the end, or it would never close.
    void attack(socket, () => isOpen && !stopped.signal.aborted)
      .catch(() => undefined)
      .then(() => {
        isOver = isOpen;
        socket.resume();
        socket.destroy();
      });
  });
}

const results: Record<string, AttackFigures> = {};
await Promise.all(
  Object.entries(ATTACKS).map(async ([name, attack]) => {
    const figures: AttackFigures = { connections: 0, ended: 0, goaways: {} };
    results[name] = figures;
    while (!stopped.signal.aborted) {
      await live(attack, figures);
      await delay(Number(pauseMs), undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  }),
);
process.stdout.write(JSON.stringify(results));
