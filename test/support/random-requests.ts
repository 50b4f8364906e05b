// Generated CheckRequests that go to the edges of path, query and body parsing. Used against the real plugin.

import { encodeCheckRequest } from "../../src/authz/check-request-json.ts";
import type { Random } from "./random.ts";

/** What a generated HTTP request is made of. */
export interface GeneratedHttp {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly rawBody?: Buffer;
}

/** The bytes of a CheckRequest for a generated HTTP request. */
export function toRequest({ path, headers, body, rawBody }: GeneratedHttp): Uint8Array {
  const http = { path, headers, body, rawBody: rawBody?.toString("base64") };
  const present = Object.fromEntries(Object.entries(http).filter(([, value]) => value !== undefined));
  const encoded = encodeCheckRequest({ attributes: { request: { http: present } } });
  if (!encoded.ok) throw new Error(encoded.detail ?? encoded.code);
  return encoded.value;
}

const TARGET_PIECES = [
  ...'/////aAbz019?&&==;#+.:@"\\ ',
  ...["%2F", "%2f", "%20", "%zz", "%", "%4", "%ff", "%C3%A9", "%c3", "%00", "%25", "%3B", "%26", "%E2%82", "%ED%A0%80"],
  ...["é", "€", "😀", "\u0000", "\n", "\u0085", "..", "http://h", "x=1", "&k", "%61=%62"],
];

/** A request target with odd escapes, separators and characters. */
export function randomTarget(random: Random): GeneratedHttp {
  return { path: (random.chance(80) ? "/" : "") + random.text(TARGET_PIECES, random.below(12)) };
}

const SPACES = ["", "", "", " ", "\n", "\t", "\r\n"];
const STRING_PIECES = [
  ...'abc09/{}[],:"\\',
  ...[
    "é",
    "😀",
    "\\n",
    "\\u0041",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude00",
    "\\uD83D\\uDE00",
    "\\/",
    "\\x",
    "\u007f",
    "\t",
  ],
  ...["\\u00e", "\\\\", '\\"', "\u2028", "\ufffd", "__proto__"],
];
const NUMBERS = [
  ...["0", "-0", "1", "-1", "1.0", "1.50", "1e3", "1E+3", "1e-3", "1e400", "12345678901234567890", "0.1", "-1.5e-7"],
  ...[
    "01",
    "1.",
    ".5",
    "1e",
    "+1",
    "-",
    "0x1",
    "1e+",
    "NaN",
    "Infinity",
    "1_000",
    "9007199254740993",
    "1e21",
    "100000000000000000000000",
  ],
];

/** JSON text, mostly valid. */
export function randomJson(random: Random, depth: number): string {
  const space = () => random.pick(SPACES);
  switch (random.below(depth > 0 ? 7 : 5)) {
    case 0:
      return random.pick(["true", "false", "null", "nul", "True", "tru e"].slice(0, random.chance(90) ? 3 : 6));
    case 1:
    case 2:
      return random.chance(90) ? random.pick(NUMBERS.slice(0, 13)) : random.pick(NUMBERS);
    case 3:
    case 4: {
      const pieces = random.chance(80)
        ? STRING_PIECES.filter((piece) => !/^["\\\t]$|\\x|e$/.test(piece))
        : STRING_PIECES;
      return `"${random.text(pieces, random.below(5))}"`;
    }
    case 5: {
      const items = Array.from({ length: random.below(4) }, () => space() + randomJson(random, depth - 1) + space());
      return `[${items.join(",")}]`;
    }
    default: {
      const members = Array.from({ length: random.below(4) }, () => {
        const key = random.chance(70)
          ? random.pick(['"a"', '"b"', '"a"', '""', '"__proto__"', '"é"'])
          : randomJson(random, 0);
        return `${space()}${key}${space()}:${space()}${randomJson(random, depth - 1)}${space()}`;
      });
      return `{${members.join(",")}}`;
    }
  }
}

const JSON_TYPES = [
  "application/json",
  "application/json; charset=utf-8",
  "text/json",
  "Application/JSON",
  "application/json-patch+json",
];
const TRAILERS = [
  "",
  "",
  "",
  "",
  " ",
  "\n",
  " null",
  "null",
  "nullx",
  " {}",
  " [1]",
  " 1",
  ' "x"',
  " true",
  "}",
  "x",
  ",",
  " null x",
  " 1.",
  "\u0000",
  "\ufeff",
];
const LENGTHS = [
  "0",
  "1",
  "-1",
  "+5",
  "007",
  "99999",
  "abc",
  "",
  " 5",
  "5 ",
  "1e3",
  "0x10",
  "9223372036854775807",
  "9223372036854775808",
  "99999999999999999999x",
  "-9223372036854775808",
  "1_0",
  "é",
];

/** A JSON body, as text or as bytes that may have been damaged. */
export function randomJsonRequest(random: Random): GeneratedHttp {
  const json = random.pick(SPACES) + randomJson(random, 3) + random.pick(TRAILERS);
  const headers: Record<string, string> = {
    "content-type": random.chance(85) ? "application/json" : random.pick(JSON_TYPES),
  };
  addLength(random, headers, Buffer.byteLength(json));
  return withPayload(random, headers, Buffer.from(json), json);
}

/** A form body. */
export function randomFormRequest(random: Random): GeneratedHttp {
  const form = random.text(TARGET_PIECES, random.below(12));
  const headers: Record<string, string> = {
    "content-type": random.pick([
      "application/x-www-form-urlencoded",
      "application/x-www-form-urlencoded; charset=UTF-8",
    ]),
  };
  addLength(random, headers, Buffer.byteLength(form));
  return withPayload(random, headers, Buffer.from(form), form);
}

function addLength(random: Random, headers: Record<string, string>, bytes: number): void {
  if (random.chance(25))
    headers["content-length"] = random.chance(50) ? random.pick(LENGTHS) : String(bytes + random.below(3) - 1);
  if (random.chance(5)) headers["x-envoy-auth-partial-body"] = random.pick(["true", "True", "false", "", "true "]);
}

/** As `body` where it is text, or as `rawBody`, perhaps damaged, or both. */
export function withPayload(
  random: Random,
  headers: Readonly<Record<string, string>>,
  payload: Buffer,
  text: string | undefined,
): GeneratedHttp {
  const common = { path: "/p", headers };
  if (text !== undefined && random.chance(50))
    return random.chance(90) ? { ...common, body: text } : { ...common, body: text, rawBody: Buffer.from("{}") };
  return { ...common, rawBody: random.chance(60) ? payload : random.mutate(payload, 1 + random.below(3)) };
}
