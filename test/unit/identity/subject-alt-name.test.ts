import assert from "node:assert/strict";
import { it } from "node:test";
import { subjectUris } from "../../../src/identity/subject-alt-name.ts";

const rows: readonly (readonly [text: string, uris: readonly string[] | undefined])[] = [
  ["", []],
  ["URI:spiffe://a/b", ["spiffe://a/b"]],
  ["DNS:a.test, URI:spiffe://a/b, IP Address:10.0.0.1, URI:urn:x", ["spiffe://a/b", "urn:x"]],
  ["URI:", [""]],
  ['URI:"spiffe://a/b\\u002c URI:spiffe://a/admin"', ["spiffe://a/b, URI:spiffe://a/admin"]],
  ['DNS:"a\\u002c URI:spiffe://a/admin", URI:spiffe://a/b', ["spiffe://a/b"]],
  ['URI:"a\\"b\\\\c"', ['a"b\\c']],
  ["DNS:URI:spiffe://a/b", []],
  ['URI:"\\q"', ['"\\q"']],
  ["URI:a,URI:b", undefined],
  ['URI:a"b', undefined],
  ['URI:"a', undefined],
  ['URI:"a"b', undefined],
  ["nothing", undefined],
  [", URI:a", undefined],
];
for (const [text, uris] of rows) {
  it(`reads ${uris === undefined ? "no list" : JSON.stringify(uris)} in \`${text}\``, () =>
    assert.deepEqual(subjectUris(text), uris));
}
