import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createHeldConnections, type HeldConnection } from "../../../src/server/held-connections.ts";
import { createUnverifiedPeer, type Peer } from "../../../src/server/peer.ts";
import { createManualClock } from "../../support/manual-clock.ts";

interface TestConnection extends HeldConnection {
  readonly told: string[];
}

/** A connection that notes what it is told. */
function connectionOf(peer: Peer = createUnverifiedPeer("127.0.0.1")): TestConnection {
  const told: string[] = [];
  return {
    peer,
    told,
    sendGoawayNotice: () => void told.push("notice"),
    finish: (graceMs, reason) => void told.push(`finish ${graceMs} ${reason}`),
    cut: (reason) => void told.push(`cut ${reason}`),
  };
}

const refusing = (refusal: () => string | undefined): Peer => ({ ...createUnverifiedPeer("127.0.0.1"), refusal });
const leaving = (afterMs: number, graceMs: number): Peer => ({
  ...createUnverifiedPeer("127.0.0.1"),
  leave: { afterMs, graceMs },
});

/** Holds `connections`, with time that the test moves. */
function hold(...connections: readonly TestConnection[]) {
  const clock = createManualClock();
  const faults: unknown[] = [];
  const held = createHeldConnections<TestConnection>((error) => faults.push(error), clock.timers);
  for (const connection of connections) held.add(connection);
  return { held, faults, clock };
}

describe("a connection that is to leave", () => {
  it("gets the notice at once, and the end when there was time to read it", () => {
    const connection = connectionOf();
    const { held, clock } = hold(connection);
    held.leave(connection, 10_000, "idle");
    assert.deepEqual(connection.told, ["notice"]);
    clock.advanceMs(999);
    assert.deepEqual(connection.told, ["notice"]);
    clock.advanceMs(1);
    assert.deepEqual(connection.told, ["notice", "finish 10000 idle"]);
  });

  it("has half of a short grace time to read the notice", () => {
    const connection = connectionOf();
    const { held, clock } = hold(connection);
    held.leave(connection, 100, "max_age");
    clock.advanceMs(50);
    assert.deepEqual(connection.told, ["notice", "finish 100 max_age"]);
  });

  it("leaves once, for the first reason", () => {
    const connection = connectionOf();
    const { held, clock } = hold(connection);
    held.leave(connection, 100, "idle");
    held.leave(connection, 100, "drain");
    clock.advanceMs(10_000);
    assert.deepEqual(connection.told, ["notice", "finish 100 idle"]);
  });

  it("is told nothing more once it is closed, nor where it is not held", () => {
    const [connection, stranger] = [connectionOf(), connectionOf()];
    const { held, clock } = hold(connection);
    held.leave(connection, 100, "idle");
    held.forget(connection);
    held.leave(stranger, 100, "idle");
    clock.advanceMs(10_000);
    assert.deepEqual(connection.told, ["notice"]);
    assert.deepEqual(stranger.told, []);
    assert.equal(held.size, 0);
  });

  it("leaves by itself when its peer's time has come, also after more than any timer waits", () => {
    const month = 31 * 86_400_000;
    const [soon, late] = [connectionOf(leaving(500, 200)), connectionOf(leaving(month, 200))];
    const { clock } = hold(soon, late);
    clock.advanceMs(499);
    assert.deepEqual(soon.told, []);
    clock.advanceMs(1);
    assert.deepEqual(soon.told, ["notice"]);
    clock.advanceMs(month - 501);
    assert.deepEqual(late.told, []);
    clock.advanceMs(1);
    assert.deepEqual(late.told, ["notice"]);
  });
});

describe("a review", () => {
  it("asks those to leave whose peer may not ask, and goes on after one that cannot be judged", async () => {
    const broken = new Error("broken");
    const [fine, failing, gone] = [
      connectionOf(),
      connectionOf(
        refusing(() => {
          throw broken;
        }),
      ),
      connectionOf(refusing(() => "no")),
    ];
    const { held, faults, clock } = hold(fine, failing, gone);
    await held.review();
    assert.deepEqual([fine.told, failing.told, gone.told], [[], [], ["notice"]]);
    assert.deepEqual(faults, [broken]);
    clock.advanceMs(1000);
    assert.deepEqual(gone.told, ["notice", "finish 1000 peer_refused"]);
  });

  it("runs one round at a time, and one more for what changes meanwhile", async () => {
    const asked: string[] = [];
    const peerOf = (name: string, before = (): void => undefined): Peer =>
      refusing(() => {
        if (!asked.includes(name)) before();
        asked.push(name);
        return undefined;
      });
    const again: Promise<void>[] = [];
    const { held } = hold(
      connectionOf(peerOf("first")),
      connectionOf(peerOf("second", () => again.push(held.review(), held.review()))),
    );
    await held.review();
    assert.deepEqual(asked, ["first", "second", "first", "second"]);
    await Promise.all(again);
    await held.review();
    assert.equal(asked.length, 6);
  });

  it("does not ask about connections that have gone since it began", async () => {
    let asked = 0;
    const count = () => {
      asked++;
      held.forget(second);
      return undefined;
    };
    const [first, second] = [connectionOf(refusing(count)), connectionOf(refusing(count))];
    const { held } = hold(first, second);
    await held.review();
    assert.equal(asked, 1);
  });
});

describe("a drain of held connections", () => {
  it("resolves when all have gone, with none cut", async () => {
    const [first, second] = [connectionOf(), connectionOf()];
    const { held } = hold(first, second);
    const drained = held.drain(10_000);
    assert.deepEqual([first.told, second.told], [["notice"], ["notice"]]);
    held.forget(first);
    held.forget(second);
    assert.equal(await drained, 0);
    assert.equal(held.isClosed, true);
  });

  it("cuts what is left after the grace time, and says how many", async () => {
    const [first, second] = [connectionOf(), connectionOf()];
    const { held, clock } = hold(first, second);
    const drained = held.drain(10_000);
    held.forget(first);
    clock.advanceMs(10_000);
    assert.equal(await drained, 1);
    assert.deepEqual(second.told, ["notice", "finish 10000 drain", "cut drain"]);
    assert.equal(held.size, 0);
  });

  it("begins at once with a connection that comes during it", async () => {
    const { held, clock } = hold(connectionOf());
    const drained = held.drain(100);
    const late = connectionOf();
    held.add(late);
    assert.deepEqual(late.told, ["notice"]);
    clock.advanceMs(100);
    assert.equal(await drained, 2);
  });

  it("is over at once where nothing is held, and ends when everything is cut", async () => {
    assert.equal(await hold().held.drain(10_000), 0);
    const connection = connectionOf();
    const { held, clock } = hold(connection);
    const drained = held.drain(10_000);
    assert.equal(held.cutAll(), 1);
    held.forget(connection);
    assert.equal(await drained, 0);
    clock.advanceMs(20_000);
    assert.deepEqual(connection.told, ["notice", "cut drain"]);
  });
});
