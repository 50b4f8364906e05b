// Multipart forms as the plugin reads them with Go's `mime/multipart` (go1.26): which line ends, line lengths and endings
// are tolerated is part of the answer, since a policy and an upstream that read differently are a way around the policy.
// Works on byte texts; parts become `name: [value, …]`, a value being JSON for parts of type `application/json`.

import { fail, ok, type Result } from "../../base/result.ts";
import { fromByteText, quoteGo, quoteJson, toByteText } from "../byte-text.ts";
import { parseJsonBody } from "./json.ts";
import { parseMediaType } from "./media-type.ts";
import { END_OF_TEXT, readPartHeader } from "./part-header.ts";
import { CUT_OFF, decodeQuotedPrintable, LINE_TOO_LONG, MAX_LINE_BYTES } from "./quoted-printable.ts";

/** The JSON text of the form, `null` when the content type names no boundary. */
export function parseMultipartBody(payload: Buffer, contentType: string): Result<string, "request_malformed"> {
  const media = parseMediaType(toByteText(contentType));
  if (!media.ok) return media;
  const boundary = media.value.parameters.get("boundary");
  if (boundary === undefined) return ok("null");
  if (boundary === "") return fail("request_malformed", "multipart: boundary is empty");
  const reader = new PartReader(payload.toString("latin1"), boundary);
  const values = new Map<string, string[]>();
  for (;;) {
    const part = reader.next();
    if (!part.ok) return part;
    if (part.value === undefined) break;
    const { name, contentType: type } = part.value;
    if (name === "") continue;
    const body = part.value.body();
    if (!body.ok) return body;
    const json = type.includes("application/json")
      ? parseJsonBody(Buffer.from(body.value, "latin1"))
      : ok(quoteJson(fromByteText(body.value)));
    if (!json.ok) return json;
    const key = fromByteText(name);
    const list = values.get(key);
    if (list === undefined) values.set(key, [json.value]);
    else list.push(json.value);
  }
  const members = [...values].map(([name, list]) => `${quoteJson(name)}:[${list.join(",")}]`);
  return ok(`{${members.join(",")}}`);
}

interface Part {
  /** The form field's name; `""` for a part that is not form data. */
  readonly name: string;
  readonly contentType: string;
  body(): Result<string, "request_malformed">;
}

/** A part's body; `ended` is false when the text stopped before a delimiter did. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly ended: boolean;
}

class PartReader {
  readonly #text: string;
  readonly #dashes: string;
  /** The line end of the first delimiter decides for all: CRLF, or a bare LF. */
  #lineEnd = "\r\n";
  #at = 0;
  #parts = 0;

  constructor(text: string, boundary: string) {
    this.#text = text;
    this.#dashes = `--${boundary}`;
  }

  /** The next part; undefined after the last. */
  next(): Result<Part | undefined, "request_malformed"> {
    let expectPart = false;
    for (;;) {
      const line = this.#readLine();
      if (!line.ok) return line.detail === END_OF_TEXT ? ok(undefined) : line;
      if (this.#isDelimiter(line.value)) return this.#readPart();
      if (this.#isFinal(line.value)) return ok(undefined);
      if (expectPart) return refuse(`multipart: expecting a new Part; got line ${quoteGo(line.value)}`);
      if (this.#parts === 0) continue;
      if (line.value !== this.#lineEnd) return refuse(`multipart: unexpected line in Next(): ${quoteGo(line.value)}`);
      expectPart = true;
    }
  }

  /** One line with its end. The last one may lack it only when it is the final delimiter. */
  #readLine(): Result<string, "request_malformed"> {
    const feed = this.#text.indexOf("\n", this.#at);
    const length = (feed < 0 ? this.#text.length : feed + 1) - this.#at;
    if (length > MAX_LINE_BYTES || (feed < 0 && length === MAX_LINE_BYTES)) {
      return refuse(`multipart: NextPart: ${LINE_TOO_LONG}`);
    }
    const line = this.#text.slice(this.#at, this.#at + length);
    this.#at += length;
    if (feed >= 0) return ok(line);
    return this.#isFinal(line) ? fail("request_malformed", END_OF_TEXT) : refuse("multipart: NextPart: EOF");
  }

  #isFinal(line: string): boolean {
    if (!line.startsWith(`${this.#dashes}--`)) return false;
    const rest = line.slice(this.#dashes.length + 2).replace(/^[ \t]+/, "");
    return rest === "" || rest === this.#lineEnd;
  }

  #isDelimiter(line: string): boolean {
    if (!line.startsWith(this.#dashes)) return false;
    const rest = line.slice(this.#dashes.length).replace(/^[ \t]+/, "");
    if (this.#parts === 0 && rest === "\n") this.#lineEnd = "\n";
    return rest === this.#lineEnd;
  }

  #readPart(): Result<Part | undefined, "request_malformed"> {
    this.#parts++;
    const header = readPartHeader(this.#text, this.#at);
    if (!header.ok) return header.detail === END_OF_TEXT ? ok(undefined) : header;
    const span = this.#findEnd(header.value.bodyStart);
    this.#at = span.ended ? span.end : this.#text.length;
    const { values } = header.value;
    const encoding = values.get("Content-Transfer-Encoding") ?? "";
    return ok({
      name: formName(values.get("Content-Disposition") ?? ""),
      contentType: values.get("Content-Type") ?? "",
      body: () => {
        const text = this.#text.slice(span.start, span.end);
        if (/^quoted-printable$/i.test(encoding)) return decodeQuotedPrintable(text, span.ended);
        return span.ended ? ok(text) : refuse(CUT_OFF);
      },
    });
  }

  #findEnd(start: number): Span {
    let from = start;
    if (this.#text.startsWith(this.#dashes, start)) {
      if (this.#endsPart(start + this.#dashes.length)) return { start, end: start, ended: true };
      from += this.#dashes.length;
    }
    const delimiter = this.#lineEnd + this.#dashes;
    for (;;) {
      const found = this.#text.indexOf(delimiter, from);
      if (found < 0) return { start, end: this.#endOfData(from, delimiter), ended: false };
      from = found + delimiter.length;
      if (this.#endsPart(from)) return { start, end: found, ended: true };
    }
  }

  /** Where the text ends but for the beginning of a delimiter: the plugin never reads that as data. */
  #endOfData(from: number, delimiter: string): number {
    const at = this.#text.lastIndexOf(delimiter.charAt(0));
    return at >= from && delimiter.startsWith(this.#text.slice(at)) ? at : this.#text.length;
  }

  /** Whether what follows `--boundary` makes it a delimiter: white space, a line end, `--`, or the end of the text. */
  #endsPart(at: number): boolean {
    return at === this.#text.length || /[ \t\r\n]/.test(this.#text[at] as string) || this.#text.startsWith("--", at);
  }
}

function formName(disposition: string): string {
  const media = parseMediaType(disposition);
  return media.ok && media.value.type === "form-data" ? (media.value.parameters.get("name") ?? "") : "";
}

function refuse(detail: string): { readonly ok: false; readonly code: "request_malformed"; readonly detail?: string } {
  return fail("request_malformed", detail);
}
