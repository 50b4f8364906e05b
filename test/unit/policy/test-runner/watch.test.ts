import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { takeSnapshot, watchFiles } from "../../../../src/policy/test-runner/watch.ts";

/** Runs the watcher over a list of states, one for each look; says at which look each run began. */
async function runsOver(states: readonly string[]): Promise<number[]> {
  let looks = 0;
  const runs: number[] = [];
  await watchFiles(
    {
      snapshot: async () => states[looks++] ?? "end",
      wait: async () => looks < states.length,
    },
    async () => void runs.push(looks),
  );
  return runs;
}

const sequences: readonly (readonly [string, readonly string[], readonly number[]])[] = [
  ["nothing changes", ["a", "a", "a", "a"], [1]],
  ["one change that is not over", ["a", "b"], [1]],
  ["one change, rest, and a look before the next run", ["a", "b", "b", "b", "b"], [1, 4]],
  ["changes that go on are waited for", ["a", "b", "c", "d", "d", "d", "d"], [1, 6]],
  ["a change and back is a change", ["a", "b", "a", "a", "a", "a"], [1, 5]],
];
for (const [name, states, expected] of sequences) {
  it(`runs: ${name}`, async () => assert.deepEqual(await runsOver(states), expected));
}

it("a change during a run is seen after it", async () => {
  const states = ["a", "b", "b", "b", "b"];
  let state = 0;
  let runs = 0;
  let waits = 0;
  await watchFiles(
    { snapshot: async () => states[Math.min(state++, 4)] ?? "", wait: async () => ++waits < 4 },
    async () => void runs++,
  );
  assert.equal(runs, 2);
});

it("a snapshot changes with names, sizes and times, through links and deeper folders, and leaves dot-files out", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "svidgate-watch-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "deep", "p.rego");
  await mkdir(join(folder, "deep"));
  await writeFile(file, "package p");
  const seen = new Set<string>();
  const look = async (): Promise<void> => {
    const snapshot = await takeSnapshot([folder, join(folder, "nothing")]);
    assert.ok(!seen.has(snapshot), "a change was not seen");
    seen.add(snapshot);
  };
  await look();
  await writeFile(file, "package p2");
  await look();
  await utimes(file, 1, 1);
  await look();
  await symlink(file, join(folder, "link.rego"));
  await look();
  await rm(file);
  await look();
  await writeFile(join(folder, "nothing"), "");
  await look();
  await writeFile(join(folder, ".swp"), "");
  assert.equal(seen.has(await takeSnapshot([folder, join(folder, "nothing")])), true);
});

it("a link to a folder above ends", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "svidgate-watch-"));
  t.after(() => rm(folder, { recursive: true }));
  await symlink(folder, join(folder, "up"));
  assert.equal(await takeSnapshot([folder]), await takeSnapshot([folder]));
});
