// Generated multipart bodies: line ends, boundaries, headers and encodings as clients get them wrong.

import type { Random } from "./random.ts";
import { type GeneratedHttp, randomJson, withPayload } from "./random-requests.ts";

const DISPOSITIONS = [
  ...[
    'form-data; name="a"',
    "form-data; name=a",
    'form-data; name="b"; filename="f.txt"',
    'FORM-DATA; NAME="a"',
    "form-data",
  ],
  ...[
    'attachment; name="a"',
    'form-data; name=""',
    'form-data; name="a\\"b"',
    'form-data; name="C:\\dir\\x"',
    "form-data; name*=utf-8''%e2%82%ac",
  ],
  ...[
    "form-data; name*0=a; name*1=b",
    "form-data; name*0*=utf-8''a%20; name*1=b; name*2*=%c3%a9",
    "form-data; name*=iso-8859-1''a",
  ],
  ...[
    'form-data; name="a"; name="a"',
    'form-data; name="a"; name="b"',
    "form-data; name=a;",
    "form-data;;name=a",
    "form-data; name",
  ],
  ...[
    'form-data; name="é"',
    'form-data ; name = "a"',
    "form-data; name=a b",
    'form-data; name="a',
    "form-data/x; name=a",
    "",
    ";name=a",
    "form-data; name*=utf-8''%zz",
  ],
];
const PART_TYPES = [
  "application/json",
  "text/plain",
  "application/json; charset=utf-8",
  "Application/json",
  "image/png",
];
const ODD_HEADERS = [
  ...[
    "X: y",
    "x-y : z",
    ":v",
    "novalue",
    "A: b\r\n c",
    "A: b\r\n\tc",
    " folded first",
    "Bad\u0001Key: x",
    "K: v\u0000",
    "Ünï: x",
    "K: é",
  ],
  ...["Content-Disposition: form-data; name=second", `X: ${"y".repeat(5000)}`, "A:", "1: digits\r\n2: more"],
];
const ENCODINGS = ["quoted-printable", "Quoted-Printable", "base64", "8bit", " quoted-printable"];
const VALUES = [
  ...[
    "1",
    "",
    "hello",
    "a=3Db",
    "a=\r\nb",
    "a=\nb",
    "=C3=A9",
    "=zz",
    "=",
    "a==",
    "tail  \r\nx",
    "=4",
    "\u0001",
    "caf\u00e9",
    "--",
    "--foo",
    "-- foo",
  ],
  ...[
    "\r\n",
    "\n",
    "\r\n--fo",
    "\r\n--foox\r\n",
    "--foo x",
    "a\r\n--foo-b",
    "x".repeat(4090),
    "x".repeat(5000),
    `${"=41".repeat(1500)}`,
    "= \r\nb",
    "=\tb",
    "=0",
    "=e9",
  ],
];
const CONTENT_TYPES = [
  ...[
    "multipart/form-data; boundary=foo",
    'multipart/form-data; boundary="foo"',
    "multipart/form-data;boundary=foo;charset=utf-8",
    "multipart/form-data",
  ],
  ...[
    "multipart/form-data; boundary=",
    'multipart/form-data; boundary=""',
    "multipart/form-data; BOUNDARY=foo",
    "multipart/form-data; boundary=foo; boundary=foo",
  ],
  ...[
    "multipart/form-data; boundary=foo; boundary=bar",
    "multipart/form-data; boundary*=utf-8''foo",
    "multipart/form-data; boundary*0=f; boundary*1=oo",
    "multipart/form-data; x",
  ],
  ...[
    "x multipart/form-data; boundary=foo",
    "multipart/form-data/x; boundary=foo",
    "multipart/form-data; boundary=foo;",
    "multipart/form-data; boundary=foo ;",
    "multipart/form-data;\u00a0boundary=foo",
  ],
  ...[
    "multipart/form-data; boundary=fo o",
    `multipart/form-data; boundary=${"f".repeat(70)}`,
    "multipart/form-data boundary=foo",
    "xmultipart/form-data; boundary=foo",
    ";multipart/form-data",
    'multipart/form-data; boundary="f\\oo"',
    "multipart/form-data; boundary=é",
  ],
];

/** A multipart request; most are nearly right. */
export function randomMultipartRequest(random: Random): GeneratedHttp {
  const end = random.chance(80) ? "\r\n" : "\n";
  const lineEnd = (): string => (random.chance(96) ? end : random.pick(["\r\n", "\n", "\r", " \r\n", "\t\n", ""]));
  let text = random.chance(85)
    ? ""
    : random.pick([
        "preamble\r\n",
        "\r\n",
        "--fo\r\n",
        `${"p".repeat(4095)}\n`,
        `${"p".repeat(4096)}\n`,
        "--foo--\r\n",
      ]);
  for (let part = random.below(4); part > 0; part--) text += `--foo${lineEnd()}${randomPart(random, end, lineEnd)}`;
  text += random.pick([
    "--foo--",
    "--foo--",
    "--foo--\r\n",
    "--foo--\n",
    "--foo-- \t\r\nepilogue",
    "--foo",
    "",
    "--foo--x",
    "--foo--\r\n--foo\r\n\r\n",
    "--foo\r\n",
  ]);
  const type = random.chance(75) ? "multipart/form-data; boundary=foo" : random.pick(CONTENT_TYPES);
  const headers: Record<string, string> = { "content-type": type };
  if (random.chance(5)) headers["content-length"] = String(Buffer.byteLength(text) + random.below(2));
  return withPayload(random, headers, Buffer.from(text), text);
}

function randomPart(random: Random, end: string, lineEnd: () => string): string {
  const lines: string[] = [];
  if (random.chance(95)) {
    const name = random.chance(60)
      ? "Content-Disposition"
      : random.pick(["content-disposition", "CONTENT-DISPOSITION", "Content-Disposition "]);
    lines.push(`${name}: ${random.chance(60) ? 'form-data; name="a"' : random.pick(DISPOSITIONS)}`);
  }
  let value = random.pick(VALUES);
  if (random.chance(30)) {
    const type = random.pick(PART_TYPES);
    lines.push(`Content-Type: ${type}`);
    if (type.includes("json")) value = random.chance(80) ? randomJson(random, 2) : value;
  }
  // Where a part without a name is not quoted-printable after all, the plugin goes on reading in the middle of the part, at a
  // place that its buffers decide; that is not imitated.
  const named = /^content-disposition: form-data; name="?a"?$/i.test(lines[0] ?? "");
  const quoted = named && random.chance(25);
  if (quoted)
    lines.push(`Content-Transfer-Encoding: ${random.chance(70) ? "quoted-printable" : random.pick(ENCODINGS)}`);
  else if (random.chance(12)) lines.splice(random.below(lines.length + 1), 0, random.pick(ODD_HEADERS));
  const header = lines.map((line) => line + (quoted ? end : lineEnd())).join("");
  return `${header}${lineEnd()}${value}${lineEnd()}`;
}
