import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HeaderField } from "../../../../src/server/http2/header-list.ts";
import { DynamicTable, FIELD_OVERHEAD_BYTES, fieldBytes } from "../../../../src/server/http2/hpack-dynamic-table.ts";
import { Random } from "../../../support/random.ts";

const field = (name: string, value = ""): HeaderField => ({ name, value });
const add = (table: DynamicTable, one: HeaderField): void => table.add(one, fieldBytes(one));

function entries(table: DynamicTable): HeaderField[] {
  const found: HeaderField[] = [];
  for (let age = 0; ; age++) {
    const entry = table.at(age);
    if (entry === undefined) return found;
    found.push(entry);
  }
}

describe("DynamicTable", () => {
  it("has the newest entry first, and nothing past the oldest", () => {
    const table = new DynamicTable(4096);
    assert.equal(table.at(0), undefined);
    for (const name of ["a", "b", "c"]) add(table, field(name));
    assert.deepEqual(entries(table), [field("c"), field("b"), field("a")]);
    assert.equal(table.at(3), undefined);
    assert.equal(table.at(1e9), undefined);
    assert.equal(table.bytes, 3 * 33);
  });

  it("evicts the oldest for a new one, and everything for one larger than itself", () => {
    const table = new DynamicTable(2 * 33);
    for (const name of ["a", "b", "c"]) add(table, field(name));
    assert.deepEqual(entries(table), [field("c"), field("b")]);
    add(table, field("dd"));
    assert.deepEqual(entries(table), [field("dd")]);
    add(table, field("e".repeat(2 * 33 - FIELD_OVERHEAD_BYTES)));
    assert.equal(entries(table).length, 1);
    add(table, field("e".repeat(2 * 33 - FIELD_OVERHEAD_BYTES + 1)));
    assert.deepEqual(entries(table), []);
    assert.equal(table.bytes, 0);
  });

  it("evicts when it shrinks, and not when it grows", () => {
    const table = new DynamicTable(4096);
    for (const name of ["a", "b", "c"]) add(table, field(name));
    table.resize(70);
    assert.deepEqual(entries(table), [field("c"), field("b")]);
    table.resize(4096);
    assert.equal(entries(table).length, 2);
    table.resize(0);
    assert.deepEqual(entries(table), []);
    add(table, field("a"));
    assert.deepEqual(entries(table), []);
  });

  it("tells of every change, for an index may mean something else after it", () => {
    const table = new DynamicTable(100);
    const seen = new Set([table.changes]);
    for (const change of [
      () => add(table, field("a")),
      () => add(table, field("b".repeat(200))),
      () => table.resize(50),
      () => table.clear(),
    ]) {
      change();
      assert.ok(!seen.has(table.changes));
      seen.add(table.changes);
    }
  });

  it("does what a plain list does, over any run of additions and sizes", () => {
    const random = new Random(541);
    for (let run = 0; run < 200; run++) {
      let maxBytes = 4096 * (1 + random.below(4));
      const table = new DynamicTable(maxBytes);
      const list: HeaderField[] = [];
      const bytes = (): number => list.reduce((sum, one) => sum + fieldBytes(one), 0);
      for (let step = 0; step < 300; step++) {
        if (random.chance(3)) {
          maxBytes = random.below(16_000);
          table.resize(maxBytes);
        } else {
          const one = field("n".repeat(random.below(8)), "v".repeat(random.below(random.chance(5) ? 9_000 : 20)));
          add(table, one);
          list.unshift(one);
        }
        while (bytes() > maxBytes) list.pop();
        assert.equal(table.bytes, bytes());
        assert.ok(list.every((one, age) => table.at(age) === one));
        assert.equal(table.at(list.length), undefined);
      }
    }
  });
});
