import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { Unpacker, type UnpackerLimits, type UnpackFault } from "../../../../src/server/http2/grpc-compression.ts";
import { Random } from "../../../support/random.ts";

const message = Buffer.from("a message that is packed. ".repeat(10));
const packed = gzipSync(message);
const owner = {};

/** What comes of `bytes`. */
function unpack(bytes: Uint8Array, limits: Partial<UnpackerLimits> = {}): Promise<Buffer | UnpackFault> {
  const unpacker = new Unpacker({ maxMessageBytes: 4096, ...limits });
  return new Promise((resolve) => {
    unpacker.unpack(owner, bytes, (outcome) => resolve(typeof outcome === "string" ? outcome : Buffer.from(outcome)));
  });
}

/** Owners' jobs in the order in which they are told. */
function createQueue(limits: Partial<UnpackerLimits>) {
  const unpacker = new Unpacker({ maxMessageBytes: 4096, maxActive: 1, ...limits });
  const told: string[] = [];
  const waits: Promise<void>[] = [];
  const add = (name: string, who: object, bytes: Uint8Array = packed): (() => void) => {
    let cancel = (): void => undefined;
    waits.push(
      new Promise((resolve) => {
        const forget = unpacker.unpack(who, bytes, (outcome) => {
          told.push(typeof outcome === "string" ? `${name} ${outcome}` : name);
          resolve();
        });
        cancel = () => {
          forget();
          resolve();
        };
      }),
    );
    return () => cancel();
  };
  return { unpacker, told, add, settled: () => Promise.all(waits) };
}

describe("unpacking", () => {
  it("gives what was packed", async () => {
    assert.deepEqual(await unpack(packed), message);
    assert.deepEqual(await unpack(gzipSync(Buffer.alloc(0))), Buffer.alloc(0));
    assert.deepEqual(await unpack(Buffer.concat([packed, packed]), {}), Buffer.concat([message, message]));
  });

  it("gives a message of exactly the limit, and none of a byte more", async () => {
    for (const limit of [0, 1, 100, 4096, 100_000]) {
      assert.deepEqual(
        await unpack(gzipSync(Buffer.alloc(limit, 1)), { maxMessageBytes: limit }),
        Buffer.alloc(limit, 1),
      );
      assert.equal(
        await unpack(gzipSync(Buffer.alloc(limit + 1, 1)), { maxMessageBytes: limit }),
        "unpacked_too_large",
      );
    }
  });

  it("gives up a bomb without holding what it unpacks to", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const before = process.memoryUsage().arrayBuffers;
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => unpack(bomb, { maxMessageBytes: 1024 * 1024 })),
    );
    assert.deepEqual(new Set(outcomes), new Set(["unpacked_too_large"]));
    assert.ok(process.memoryUsage().arrayBuffers - before < 60 * 1024 * 1024);
  });

  it("refuses what was cut off, at every byte", async () => {
    for (let length = 0; length < packed.length; length++) {
      assert.equal(await unpack(packed.subarray(0, length)), "packing_corrupt", `${length} bytes`);
    }
  });

  it("refuses what is no gzip, or has become none: each byte changed", async () => {
    for (const bytes of [Buffer.from("no gzip"), deflateSync(message), Buffer.alloc(100)]) {
      assert.equal(await unpack(bytes), "packing_corrupt");
    }
    for (let at = 0; at < packed.length; at++) {
      // Time, flags of the packer and its system say nothing about the data.
      if (at >= 4 && at <= 9) continue;
      const bytes = Buffer.from(packed);
      bytes[at] = (bytes[at] as number) ^ 0x10;
      const outcome = await unpack(bytes);
      assert.ok(outcome === "packing_corrupt" || outcome === "unpacked_too_large", `byte ${at}`);
    }
  });
});

describe("what waits to be unpacked", () => {
  it("takes turns by owner, each owner's own in order", async () => {
    const { told, add, settled } = createQueue({});
    const [a, b, c] = [{}, {}, {}];
    for (const name of ["a1", "a2", "a3", "a4"]) add(name, a);
    for (const name of ["b1", "b2"]) add(name, b);
    add("c1", c);
    await settled();
    assert.deepEqual(told, ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]);
  });

  it("is bounded, and the owner of the most loses what came last", async () => {
    const each = packed.buffer.byteLength + 512;
    const { unpacker, told, add, settled } = createQueue({ maxWaitingBytes: 4 * each });
    const [greedy, other] = [{}, {}];
    for (let i = 0; i < 8; i++) add(`g${i}`, greedy);
    assert.deepEqual(told, ["g5 unpacker_busy", "g6 unpacker_busy", "g7 unpacker_busy"]);
    add("o0", other);
    assert.deepEqual(told.slice(3), ["g4 unpacker_busy"]);
    assert.equal(unpacker.waitingBytes, 4 * each);
    await settled();
    assert.deepEqual(told.slice(4), ["g0", "g1", "o0", "g2", "g3"]);
    assert.equal(unpacker.waitingBytes, 0);
  });

  it("is taken from the owner of the most, whatever has come and gone before", () => {
    const random = new Random(11);
    const limit = 100_000;
    const unpacker = new Unpacker({ maxMessageBytes: 4096, maxActive: 0, maxWaitingBytes: limit });
    const owners = Array.from({ length: 5 }, () => new Map<number, { bytes: number; cancel(): void }>());
    const sumOf = (own: ReadonlyMap<number, { bytes: number }>): number =>
      [...own.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    let dropped = 0;
    for (let step = 0; step < 2000; step++) {
      const own = owners[random.below(5)] as (typeof owners)[number];
      const [first] = own.keys();
      if (first !== undefined && random.chance(30)) {
        own.get(first)?.cancel();
        own.delete(first);
      } else {
        const bytes = new Uint8Array(1 + random.below(3000));
        const job = { bytes: bytes.length + 512, cancel: (): void => undefined };
        own.set(step, job);
        job.cancel = unpacker.unpack(own, bytes, (outcome) => {
          assert.equal(outcome, "unpacker_busy");
          dropped++;
          const most = Math.max(...owners.map(sumOf));
          const loser = owners.find((one) => sumOf(one) === most);
          loser?.delete([...loser.keys()].at(-1) as number);
        });
      }
      const all = owners.reduce((sum, one) => sum + sumOf(one), 0);
      assert.equal(unpacker.waitingBytes, all);
      assert.ok(all <= limit);
    }
    assert.ok(dropped > 100, `${dropped}`);
  });

  it("counts the memory that a view holds, not its length", () => {
    const { unpacker, told, add } = createQueue({ maxWaitingBytes: 100_000 });
    const chunk = new Uint8Array(65_536);
    for (const name of ["active", "waits", "refused"]) add(name, owner, chunk.subarray(0, 1));
    assert.deepEqual(told, ["refused unpacker_busy"]);
    assert.equal(unpacker.waitingBytes, 65_536 + 512);
  });

  it("is nothing when there was time for all: one after the other, more than are unpacked at once", async () => {
    const { unpacker, told, add, settled } = createQueue({ maxActive: 2 });
    for (let i = 0; i < 6; i++) {
      add(`${i}`, owner);
      assert.equal(unpacker.waitingBytes, 0);
      await settled();
    }
    assert.deepEqual(told, ["0", "1", "2", "3", "4", "5"]);
  });

  it("is told before its call returns when there is no room at all", () => {
    const { told, add } = createQueue({ maxWaitingBytes: 0 });
    add("active", owner);
    add("refused", owner)();
    assert.deepEqual(told, ["refused unpacker_busy"]);
  });

  it("is forgotten when it is cancelled: waiting, at work, or done", async () => {
    const { unpacker, told, add, settled } = createQueue({});
    const cancels = ["active", "waiting", "last"].map((name) => add(name, owner));
    cancels[0]?.();
    cancels[1]?.();
    cancels[1]?.();
    await settled();
    assert.deepEqual(told, ["last"]);
    cancels[2]?.();
    assert.equal(unpacker.waitingBytes, 0);
  });
});
