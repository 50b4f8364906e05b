// Generated requests with the answers of the real opa-envoy-plugin 1.19.1, recorded by test/e2e/differential-input.test.ts:
// paths, bodies of every kind (gRPC with a descriptor set) and protobuf messages at their edges.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { parseProtoDescriptor } from "../../src/policy/body/proto-descriptor.ts";
import { ask, comparable } from "../support/differential-families.ts";
import type { PluginAnswer } from "../support/opa-envoy-plugin.ts";
import { runsOnStack } from "../support/stack.ts";
import { descriptorSet } from "../support/test-descriptor.ts";

interface Row {
  readonly family: string;
  readonly request: string;
  readonly want: PluginAnswer;
}

const lines = readFileSync(join(packageRoot(), "test/vectors/generated-input.jsonl"), "utf8").trim().split("\n");
const rows = lines.map((line) => JSON.parse(line) as Row);

for (const family of new Set(rows.map((row) => row.family))) {
  if (!runsOnStack("generated-input", family)) continue;
  test(`recorded answers: ${family}`, async () => {
    const descriptor = await parseProtoDescriptor(descriptorSet);
    assert.ok(descriptor.ok);
    const members = rows.filter((row) => row.family === family);
    assert.ok(members.length >= 40);
    for (const { request, want } of members) {
      assert.deepEqual(comparable(ask(Buffer.from(request, "base64"), descriptor.value)), comparable(want), request);
    }
  });
}
