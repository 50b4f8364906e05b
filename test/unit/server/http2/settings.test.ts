import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULT_LIMITS } from "../../../../src/server/http2/limits.ts";
import { parsePeerSettings, printSettings } from "../../../../src/server/http2/settings.ts";
import { settings } from "../../../support/http2-conversation.ts";

type Entries = readonly (readonly [id: number, value: number])[];

const parse = (entries: Entries) => {
  const bytes = Buffer.concat([Buffer.of(255, 255), settings(...entries), Buffer.of(255)]);
  return parsePeerSettings(bytes, 2, bytes.length - 1);
};

describe("a peer's settings", () => {
  const FINE: readonly [name: string, entries: Entries, changed: object][] = [
    ["none", [], {}],
    ["the table's size", [[1, 0]], { headerTableBytes: 0 }],
    ["the largest table", [[1, 2 ** 32 - 1]], { headerTableBytes: 2 ** 32 - 1 }],
    ["the first window", [[4, 2 ** 31 - 1]], { initialWindowBytes: 2 ** 31 - 1 }],
    [
      "the last one of several",
      [
        [4, 1],
        [1, 5],
        [4, 0],
        [1, 6],
      ],
      { initialWindowBytes: 0, headerTableBytes: 6 },
    ],
    [
      "what concerns no server",
      [
        [2, 0],
        [2, 1],
        [3, 0],
        [5, 16_384],
        [5, 2 ** 24 - 1],
        [6, 1],
      ],
      {},
    ],
    [
      "unknown ones",
      [
        [0, 1],
        [7, 7],
        [8, 1],
        [65_535, 2 ** 32 - 1],
      ],
      {},
    ],
  ];
  for (const [name, entries, changed] of FINE) {
    it(`change ${name}`, () => {
      const parsed = parse(entries);
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value, changed);
    });
  }

  const FAULTS: readonly [name: string, entries: Entries, code: string][] = [
    ["ENABLE_PUSH 2", [[2, 2]], "protocol_error"],
    ["MAX_FRAME_SIZE 16383", [[5, 16_383]], "protocol_error"],
    ["MAX_FRAME_SIZE 2^24", [[5, 2 ** 24]], "protocol_error"],
    ["a window of 2^31", [[4, 2 ** 31]], "flow_control_error"],
    [
      "a wrong value, also where a right one follows",
      [
        [4, 2 ** 31],
        [4, 1],
      ],
      "flow_control_error",
    ],
  ];
  for (const [name, entries, code] of FAULTS) {
    it(`are refused for ${name}`, () => {
      const parsed = parse(entries);
      assert.equal(parsed.ok ? "fine" : parsed.code, code);
    });
  }

  it("are refused where their length is no multiple of six", () => {
    for (let length = 0; length <= 24; length++) {
      const parsed = parsePeerSettings(Buffer.alloc(30), 3, 3 + length);
      assert.equal(parsed.ok, length % 6 === 0, `${length}`);
    }
  });
});

describe("our settings", () => {
  it("announce how many streams and how large a header list, and the table only where it is not the usual", () => {
    const limits = { ...DEFAULT_LIMITS, maxConcurrentStreams: 10, maxHeaderListBytes: 1000 };
    assert.deepEqual(printSettings(limits), settings([3, 10], [6, 1000]));
    assert.deepEqual(printSettings({ ...limits, maxHeaderTableBytes: 0 }), settings([3, 10], [6, 1000], [1, 0]));
  });
});
