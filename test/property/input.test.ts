// Whatever a request holds, its input document is JSON in well-formed Unicode, or there is a refusal with a sentence.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProtoDescriptor } from "../../src/policy/body/proto-descriptor.ts";
import { ask, FAMILIES } from "../support/differential-families.ts";
import { Random } from "../support/random.ts";
import { descriptorSet } from "../support/test-descriptor.ts";

const RUNS = 1_000;
const KEYS = [
  "attributes",
  "parsed_body",
  "parsed_path",
  "parsed_query",
  "source_principal",
  "truncated_body",
  "version",
];

for (const [family, generate] of Object.entries(FAMILIES)) {
  test(`${family}: a document or a refusal`, async () => {
    const descriptor = await parseProtoDescriptor(descriptorSet);
    assert.ok(descriptor.ok);
    const random = new Random(4);
    let documents = 0;
    for (let run = 0; run < RUNS; run++) {
      const answer = ask(generate(random), descriptor.value);
      if (answer.kind === "malformed") assert.notEqual(answer.detail, "");
      if (answer.kind !== "input") continue;
      documents++;
      assert.doesNotMatch(answer.json, /[\ud800-\udfff]/u);
      const input = JSON.parse(answer.json) as Record<string, unknown>;
      assert.ok(Object.keys(input).every((key) => KEYS.includes(key)));
      assert.ok((input["parsed_path"] as unknown[]).every((segment) => typeof segment === "string"));
      assert.equal(typeof input["truncated_body"], "boolean");
      if (input["truncated_body"] === true) assert.equal(input["parsed_body"], null);
    }
    assert.ok(documents > RUNS / 10);
  });
}
