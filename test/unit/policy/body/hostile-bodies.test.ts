// Bodies made to be slow: time grows with the size and no faster. Limits are generous; a quadratic parser misses them by far.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJsonBody } from "../../../../src/policy/body/json.ts";
import { parseMediaType } from "../../../../src/policy/body/media-type.ts";
import { parseMultipartBody } from "../../../../src/policy/body/multipart.ts";
import { parseQuery, parseTarget } from "../../../../src/policy/request-path.ts";

const SIZE = 4 << 20;
const LIMIT_MS = 5_000;
const TYPE = "multipart/form-data; boundary=foo";
const fill = (piece: string, size = SIZE): string => piece.repeat(Math.ceil(size / piece.length));
const multipart = (text: string) => parseMultipartBody(Buffer.from(text, "latin1"), TYPE);
const QUOTED = 'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: quoted-printable';

const CASES: Readonly<Record<string, () => unknown>> = {
  "spaces inside a part's header": () => multipart(`--foo\r\nA: b${fill(" ")}c\r\n\r\nx\r\n--foo--`),
  "folded lines": () => multipart(`--foo\r\nA: b\r\n${fill(" \r\n")}\r\nx\r\n--foo--`),
  "lines of spaces in quoted-printable": () =>
    multipart(`--foo\r\n${QUOTED}\r\n\r\n${fill(`${" ".repeat(4000)}x\r\n`)}\r\n--foo--`),
  "almost delimiters": () => multipart(`--foo\r\nA: b\r\n\r\n${fill("\r\n--foox")}\r\n--foo--`),
  "a great many parts": () => multipart(`${fill("--foo\r\n\r\n\r\n")}--foo--`),
  "spaces in a media type": () => parseMediaType(`a/b${fill(" ")}c; x=y${fill("\u00c2\u00a0")}`),
  "parameters of a media type": () => parseMediaType(`a/b${fill("; x=y")}`),
  "continuations of a parameter": () =>
    parseMediaType(`a/b${Array.from({ length: 100_000 }, (_, at) => `; x*${at}=a`).join("")}`),
  "backslashes in a quoted string": () => parseMediaType(`a/b; x="${fill("\\")}`),
  "bytes that are not UTF-8": () => parseJsonBody(Buffer.from(`"${fill("\xffa")}"`, "latin1")),
  "lone surrogates": () => parseJsonBody(Buffer.from(`"${fill("\\ud800")}"`)),
  "deep JSON": () => parseJsonBody(Buffer.from(fill('{"a":['))),
  "percent signs": () => parseTarget(`/${fill("%25")}?${fill("%")}`),
  slashes: () => parseTarget(fill("/", 1 << 20)),
  ampersands: () => parseQuery(fill("&")),
};

for (const [name, run] of Object.entries(CASES)) {
  test(`4 MiB of ${name} take linear time`, () => {
    const startMs = performance.now();
    run();
    assert.ok(performance.now() - startMs < LIMIT_MS);
  });
}
