// The requests of `svidgate compare`: CheckRequest files, JSON or serialized, and `.jsonl` files of `{"name", "request"}` rows
// with the serialized message in base64.

import { readFile } from "node:fs/promises";
import { readCheckFile } from "./check-request.ts";

/** One request to ask. */
export interface NamedRequest {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** All requests, or every problem with the files. */
export type NamedRequests =
  | { readonly ok: true; readonly requests: readonly NamedRequest[] }
  | { readonly ok: false; readonly problems: readonly string[] };

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const MAX_PROBLEMS = 20;

/** Reads the files in their order. */
export async function readRequests(files: readonly string[]): Promise<NamedRequests> {
  const requests: NamedRequest[] = [];
  const problems: string[] = [];
  for (const file of files) {
    const content = await readFile(file).catch((error: NodeJS.ErrnoException) => error);
    if (content instanceof Error) problems.push(`${file}: cannot be read: ${content.code ?? content.message}`);
    else if (file.endsWith(".jsonl")) readRows(file, content.toString("utf8"), requests, problems);
    else {
      const read = readCheckFile(file, content);
      if (read.ok) requests.push({ name: file, bytes: read.bytes });
      else problems.push(...read.problems);
    }
  }
  if (problems.length === 0 && requests.length === 0) problems.push("the files hold no request");
  if (problems.length === 0) return { ok: true, requests };
  const more = problems.length - MAX_PROBLEMS;
  return { ok: false, problems: more > 0 ? [...problems.slice(0, MAX_PROBLEMS), `and ${more} more`] : problems };
}

function readRows(file: string, text: string, requests: NamedRequest[], problems: string[]): void {
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = `${file}:${index + 1}`;
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch (error) {
      problems.push(`${place}: not JSON: ${(error as Error).message}`);
      continue;
    }
    const { name, request } = (typeof row === "object" && row !== null ? row : {}) as {
      name?: unknown;
      request?: unknown;
    };
    if (typeof request !== "string" || !BASE64.test(request)) {
      problems.push(`${place}: \`request\` must be a serialized CheckRequest in base64`);
    } else requests.push({ name: typeof name === "string" ? name : place, bytes: Buffer.from(request, "base64") });
  }
}
