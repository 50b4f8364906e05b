import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createHealth, HEALTH_SERVICES } from "../../../src/server/health.ts";

const states = (health: ReturnType<typeof createHealth>) => HEALTH_SERVICES.map((name) => health.isServing(name));

describe("health", () => {
  it('is alive before it is ready, so that a probe of `""` does not restart what waits for a bundle', () => {
    const health = createHealth();
    assert.deepEqual(states(health), [true, false, false]);
    assert.equal(health.ready, false);
    health.setReady(true);
    assert.deepEqual(states(health), [true, true, true]);
    assert.equal(health.ready, true);
    health.setReady(false);
    assert.deepEqual(states(health), [true, false, false]);
  });

  it("serves nothing once draining, whatever is said later", () => {
    const health = createHealth();
    health.setReady(true);
    health.drain();
    assert.deepEqual(states(health), [false, false, false]);
    health.setReady(false);
    health.setReady(true);
    assert.deepEqual(states(health), [false, false, false]);
    assert.deepEqual([health.ready, health.draining], [false, true]);
  });

  it("does not know other names", () => {
    const health = createHealth();
    for (const name of ["Ready", "ready ", "envoy.service.auth.v2.Authorization", "grpc.health.v1.Health"]) {
      assert.equal(health.isServing(name), undefined, name);
    }
  });

  it("tells each subscriber of each change once, until it leaves", () => {
    const health = createHealth();
    let first = 0;
    let second = 0;
    const leave = health.subscribe(() => first++);
    health.subscribe(() => {
      second++;
      leave(); // leaving while being told must not lose anybody's news
    });
    health.setReady(true);
    health.setReady(true);
    assert.deepEqual([first, second], [1, 1]);
    health.drain();
    health.drain();
    assert.deepEqual([first, second], [1, 2]);
  });
});
