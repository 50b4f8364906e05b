import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HiddenPem, type LoadedTls, type TlsMaterial } from "../../../src/server/tls-material.ts";
import { startTlsRenewal, type TlsRenewal } from "../../../src/server/tls-renewal.ts";
import { createManualClock, type ManualClock } from "../../support/manual-clock.ts";

const materialOf = (certificatePem: string): TlsMaterial => ({
  certificatePem,
  privateKey: new HiddenPem(certificatePem),
  clientProof: "none",
  clientCaPem: undefined,
  clientSpiffeIds: undefined,
  minVersion: "TLSv1.3",
  leaf: { subject: "", spiffeId: undefined, serial: "", sha256: "", notBeforeUnixMs: 0, notAfterUnixMs: 0 },
});

interface World {
  readonly clock: ManualClock;
  readonly renewal: TlsRenewal;
  readonly told: string[];
  /** What the next loads find: a certificate, or the problem of one that begins with `!`. */
  found: string;
  loads: number;
  inForce: TlsMaterial;
  /** Time goes on, and loads that it begins come to their end. */
  advance(ms: number): Promise<void>;
}

/** Something is in force that is called `old`. */
function start(): World {
  const clock = createManualClock();
  const told: string[] = [];
  const world: World = {
    clock,
    told,
    found: "old",
    loads: 0,
    inForce: materialOf("old"),
    advance: async (ms) => {
      clock.advanceMs(ms);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    },
    renewal: startTlsRenewal({
      clock,
      timers: clock.timers,
      load: async (): Promise<LoadedTls> => {
        world.loads++;
        const { found } = world;
        if (found === "throw") throw new Error("thrown");
        if (found.startsWith("!")) return { ok: false, problems: [found.slice(1)] };
        return { ok: true, material: materialOf(found), warnings: [`warning of ${found}`] };
      },
      inForce: () => world.inForce,
      onRenewed: (material, warnings) => {
        world.inForce = material;
        told.push(`renewed ${material.certificatePem}, ${warnings.join()}`);
      },
      onFailed: (problems) => told.push(`failed: ${problems.join()}`),
    }),
  };
  return world;
}

describe("a renewal", () => {
  it("loads once for what changes together, and tells of what is new", async () => {
    const world = start();
    assert.equal(world.renewal.last, undefined);
    for (const ms of [0, 100, 100]) {
      await world.advance(ms);
      world.renewal.look(500);
    }
    world.found = "new";
    await world.advance(299);
    assert.equal(world.loads, 0);
    await world.advance(1);
    assert.equal(world.loads, 1);
    assert.deepEqual(world.told, ["renewed new, warning of new"]);
    assert.deepEqual(world.renewal.last, { unixMs: world.clock.unixMs(), result: "success", problems: [] });
    assert.equal(world.clock.timers.pending, 0);
  });

  it("says nothing of what is in force already", async () => {
    const world = start();
    world.renewal.look(0);
    await world.advance(0);
    assert.equal(world.loads, 1);
    assert.deepEqual(world.told, []);
    assert.equal(world.renewal.last, undefined);
  });

  it("waits with its complaint for the other half of a renewal", async () => {
    const world = start();
    world.found = "!not the key";
    world.renewal.look(500);
    await world.advance(500);
    assert.deepEqual(world.told, []);
    world.found = "new";
    world.renewal.look(500);
    await world.advance(500);
    assert.deepEqual(world.told, ["renewed new, warning of new"]);
  });

  it("tells of what stays broken once, tries it again, and tells when it is mended, also by what was before", async () => {
    const world = start();
    world.found = "!broken";
    world.renewal.look(500);
    await world.advance(500);
    await world.advance(2000);
    assert.deepEqual(world.told, ["failed: broken"]);
    assert.deepEqual(world.renewal.last?.problems, ["broken"]);
    for (let turn = 0; turn < 3; turn++) await world.advance(30_000);
    assert.equal(world.loads, 5);
    assert.equal(world.told.length, 1);
    world.found = "!broken otherwise";
    await world.advance(30_000);
    world.found = "old";
    await world.advance(30_000);
    assert.deepEqual(world.told, ["failed: broken", "failed: broken otherwise", "renewed old, warning of old"]);
    assert.equal(world.renewal.last?.result, "success");
    assert.equal(world.clock.timers.pending, 0);
  });

  it("survives a load that throws", async () => {
    const world = start();
    world.found = "throw";
    world.renewal.look(0);
    await world.advance(0);
    await world.advance(2000);
    assert.deepEqual(world.told, ["failed: internal error: thrown"]);
    world.found = "new";
    await world.advance(30_000);
    assert.equal(world.inForce.certificatePem, "new");
  });

  it("does not wait for a retry when something changes", async () => {
    const world = start();
    world.found = "!broken";
    world.renewal.look(0);
    await world.advance(0);
    await world.advance(2000);
    world.found = "new";
    world.renewal.look(500);
    await world.advance(500);
    assert.equal(world.inForce.certificatePem, "new");
  });

  it("loads again what changed while it loaded", async () => {
    const world = start();
    world.renewal.look(0);
    world.clock.advanceMs(0);
    world.found = "new";
    world.renewal.look(0);
    await world.advance(0);
    await world.advance(0);
    assert.equal(world.inForce.certificatePem, "new");
    assert.equal(world.told.length, 1);
  });

  it("tells nothing once it is closed, not even what is on its way", async () => {
    const world = start();
    world.found = "new";
    world.renewal.look(0);
    world.clock.advanceMs(0);
    world.renewal.close();
    await world.advance(60_000);
    world.renewal.look(0);
    await world.advance(60_000);
    assert.deepEqual(world.told, []);
    assert.equal(world.loads, 1);
    assert.equal(world.clock.timers.pending, 0);
  });
});
