import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

const start = () =>
  spawn(process.execPath, [fileURLToPath(new URL("stderr-child.js", import.meta.url))], {
    stdio: ["ignore", "pipe", "pipe"],
  });

it("a reader that is slow costs lines, which are counted, and neither time nor memory", async () => {
  const child = start();
  // Nobody reads stderr until the flood is over.
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    log += part;
  });
  const [code] = (await once(child, "close")) as [number | null];
  const { waitingBytes } = JSON.parse(said.toString()) as { waitingBytes: number };
  const lines = log.split("\n").slice(0, -1);
  const dropped = JSON.parse(lines.at(-2) ?? "") as { msg: string; count: number };
  assert.equal(code, 0);
  assert.ok(waitingBytes > 0 && waitingBytes < 1_200_000, String(waitingBytes));
  assert.equal(dropped.msg, "log lines were dropped: stderr was not read");
  assert.equal(lines.length - 2 + dropped.count, 50_000);
  assert.equal(lines.at(-1), '{"last":true}');
});

it("a reader that is gone does not end the process", async () => {
  const child = start();
  child.stderr.destroy();
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    said += part;
  });
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(code, 0);
  assert.match(said, /waitingBytes/);
});
