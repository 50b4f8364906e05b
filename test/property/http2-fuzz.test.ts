// A small part of `npm run fuzz`, always the same.

import assert from "node:assert/strict";
import { it } from "node:test";
import { compareWithNode } from "../fuzz/differential.ts";
import { fuzz } from "../fuzz/fuzz.ts";

const GOAWAYS = { protocol: "1", flowControl: "3", frameSize: "6", compression: "9", calm: "11" };

it("whatever a client sends, the server neither throws nor writes what no client may get, and valid clients get their answers", async () => {
  const { figures, found } = await fuzz({ seed: 2, frames: 15_000 });
  assert.equal(found?.error, undefined);
  assert.ok(figures.answers > 1_500, `${figures.answers} answers`);
  for (const [kind, count] of Object.entries(figures.kinds)) assert.ok(count > 5, `${count} ${kind} conversations`);
  // A generator that breaks nothing would find nothing.
  for (const [name, code] of Object.entries(GOAWAYS))
    assert.ok((figures.goaways[code] ?? 0) > 0, `no GOAWAY for ${name}`);
  for (const reason of ["reset_flood", "control_flood", "unfinished_bytes", "slow_reader", "max_age"]) {
    assert.ok((figures.connectionEnds[reason] ?? 0) > 0, `no connection ended for ${reason}`);
  }
  for (const reason of ["malformed", "header_list", "message_size", "flow_control", "not_grpc"]) {
    assert.ok((figures.streamRefusals[reason] ?? 0) > 0, `no stream was refused for ${reason}`);
  }
});

it("the same seed gives the same conversations", async () => {
  const first = await fuzz({ seed: 4, frames: 1_500, firstGroup: 1 });
  assert.deepEqual(await fuzz({ seed: 4, frames: 1_500, firstGroup: 1 }), first);
});

it("answers and ends as Node's HTTP/2 server does, but for what known-differences.ts explains", async () => {
  const found: unknown[] = [];
  const figures = await compareWithNode(7540, 40, (difference) => found.push(difference));
  assert.deepEqual(found, []);
  assert.ok(figures.sameStreams > 200, `${figures.sameStreams} streams`);
  assert.ok(figures.bothEnded > 15 && figures.bothWentOn > 40, JSON.stringify(figures));
});
