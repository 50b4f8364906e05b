// A stream of YAML as it is written: tags, anchors and styles kept, scalars as text, deep nesting refused before the parser recurses.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseYamlStream, type YamlTree } from "../../../src/base/yaml-stream.ts";

function only(text: string): YamlTree | undefined {
  const result = parseYamlStream(text);
  assert.ok(result.ok, text);
  assert.equal(result.value.length, 1, text);
  return result.value[0];
}

const scalar = (text: string, isPlain = true) => ({ kind: "scalar", text, isPlain });

describe("parseYamlStream", () => {
  const ROWS: readonly (readonly [text: string, tree: unknown])[] = [
    ["1", scalar("1")],
    ["'1'", scalar("1", false)],
    ["!!int 1", { ...scalar("1"), tag: "tag:yaml.org,2002:int" }],
    ["!!binary aGk=", { ...scalar("aGk="), tag: "tag:yaml.org,2002:binary" }],
    ["! 1", { ...scalar("1"), tag: "!" }],
    ["&x [a, *x]", { kind: "list", name: "x", items: [scalar("a"), { kind: "alias", anchor: "x" }] }],
    [
      "a: 1\na: 2",
      {
        kind: "map",
        entries: [
          [scalar("a"), scalar("1")],
          [scalar("a"), scalar("2")],
        ],
      },
    ],
    ["? a", { kind: "map", entries: [[scalar("a"), scalar("")]] }],
    ["|\n x\n", scalar("x\n", false)],
    ["|\n x", scalar("x", false)],
    ["- |+\n  x", { kind: "list", items: [scalar("x", false)] }],
  ];
  for (const [text, tree] of ROWS) it(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(only(text), tree));

  it("reads every document, and none in an empty text", () => {
    assert.deepEqual(parseYamlStream("---\n---\na"), { ok: true, value: [scalar(""), scalar("a")] });
    assert.deepEqual(parseYamlStream(""), { ok: true, value: [] });
  });

  for (const text of ["[a", "a: b: c", "- a\nb: c", "a: 1\n---\n[", "'a", "\ta: b: c"]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseYamlStream(text).ok, false));
  }

  for (const [what, text] of [
    ["brackets", "[".repeat(201)],
    ["braces", "{a: ".repeat(201)],
    ["markers", `${"- ".repeat(200)}a`],
    ["columns", `${" ".repeat(800)}a`],
    ["lines", Array.from({ length: 250 }, (_, at) => `${" ".repeat(at)}a:`).join("\n")],
    ["lines of markers", Array.from({ length: 250 }, (_, at) => `${" ".repeat(at)}-`).join("\n")],
  ] as const) {
    it(`refuses text nested deep in ${what}`, () => {
      const result = parseYamlStream(text);
      assert.deepEqual(result, { ok: false, code: "yaml_syntax", detail: "nested deeper than 200 levels" });
    });
  }
});
