// `npm run fuzz`: hostile and ordinary conversations against the HTTP/2 server, in this process. Ends with 1 at the first finding.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../../src/base/package-root.ts";
import { compareWithNode } from "./differential.ts";
import { type FuzzFigures, fuzz, type Reproduction } from "./fuzz.ts";

const HELP = `npm run fuzz -- [flags]

Sends frames to the HTTP/2 server of the line-rate listener: valid conversations, broken ones, raw octets.

  --frames N   how many; 1e6 unless told, 1e8 for the long mode
  --seed S     another seed, other conversations; 1 unless told
  --differential N  instead: N conversations with this server and with Node's, and what they did differently
  --group G    begin with this group of conversations, as a finding names it
`;

const PROGRESS_MS = 10_000;

const { values: flags } = parseArgs({
  options: {
    frames: { type: "string", default: "1e6" },
    seed: { type: "string", default: "1" },
    group: { type: "string", default: "0" },
    differential: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) process.stdout.write(HELP);
else if (flags.differential !== undefined)
  await compare(toNumber("seed", flags.seed), toNumber("differential", flags.differential));
else await main(toNumber("frames", flags.frames), toNumber("seed", flags.seed), toNumber("group", flags.group));

async function main(frames: number, seed: number, firstGroup: number): Promise<void> {
  const startMs = performance.now();
  let printedMs = startMs;
  const onProgress = (figures: FuzzFigures): void => {
    if (performance.now() - printedMs < PROGRESS_MS) return;
    printedMs = performance.now();
    process.stdout.write(`${progressLine(figures, printedMs - startMs)}\n`);
  };
  const { figures, found } = await fuzz({ seed, frames, firstGroup, onProgress });
  process.stdout.write(
    `${progressLine(figures, performance.now() - startMs)}\n${JSON.stringify(figures, undefined, 2)}\n`,
  );
  if (found === undefined) {
    process.stdout.write("nothing was found\n");
    return;
  }
  const path = keep(found);
  process.stdout.write(
    `FOUND with --seed ${seed} --group ${found.group}: ${found.error}\n  what was sent is in ${path}\n`,
  );
  process.exitCode = 1;
}

async function compare(seed: number, count: number): Promise<void> {
  const figures = await compareWithNode(seed, count, (difference) => {
    process.stdout.write(`${JSON.stringify(difference)}\n`);
    process.exitCode = 1;
  });
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

function progressLine({ frames, conversations, answers }: FuzzFigures, elapsedMs: number): string {
  const perSecond = Math.round(frames / (elapsedMs / 1000));
  const rssMib = Math.round(process.resourceUsage().maxRSS / 1024);
  return `${frames} frames, ${conversations} conversations, ${answers} answers compared, ${perSecond} frames/s, max RSS ${rssMib} MiB`;
}

function keep(found: Reproduction): string {
  const folder = join(packageRoot(), ".cache", "fuzz");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `seed-${found.seed}-group-${found.group}.json`);
  // Octets as text, one character each, are hard to read.
  const readable = found.conversations.map(({ kind, record }) => ({
    kind,
    record: record.map((one) =>
      one[0] === "receive" ? ["receive", Buffer.from(one[1], "latin1").toString("hex")] : one,
    ),
  }));
  writeFileSync(path, `${JSON.stringify({ ...found, conversations: readable }, undefined, 1)}\n`);
  return path;
}

function toNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new Error(`--${name}: \`${text}\` is not a number`);
  return number;
}
