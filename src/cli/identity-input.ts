// The credential that `svidgate identity explain` is to explain, from a file or standard input, within a bound.
// SECURITY: neither what was read nor the name of the file is ever told: people paste a credential where its file belongs.

import { createReadStream } from "node:fs";
import { stdin } from "node:process";
import type { Readable } from "node:stream";
import { type Certificate, decodePem, parseCertificate } from "../identity/certificate.ts";

const MAX_BYTES = 256 * 1024;

/** A text, or the sentence that says why there is none. */
export type GivenText = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

/** Reads at most 256 KiB; `-` is standard input. Bytes that are no UTF-8 stay one character each, and are refused later. */
export async function readCredential(file: string): Promise<GivenText> {
  const what = file === "-" ? "standard input" : "the file";
  const bytes = await readAtMost(file === "-" ? stdin : createReadStream(file)).catch((error: Error) => error);
  if (bytes instanceof Error) {
    const { code = "unknown fault" } = bytes as NodeJS.ErrnoException;
    const hint = file === "-" ? "" : "; give a file or - for standard input, not the credential itself";
    return { ok: false, problem: `${what} cannot be read: ${code}${hint}` };
  }
  if (bytes.length > MAX_BYTES) return { ok: false, problem: `${what} has more than ${MAX_BYTES / 1024} KiB` };
  return { ok: true, text: decode(bytes) };
}

/** The peer's certificate for `--certificate`: the first of a PEM file. Nothing of it is verified. */
export async function readPeerCertificate(
  file: string,
): Promise<
  { readonly ok: true; readonly certificate: Certificate } | { readonly ok: false; readonly problem: string }
> {
  const given = await readCredential(file);
  if (!given.ok) return { ok: false, problem: `--certificate: ${given.problem}` };
  const ders = decodePem(given.text);
  const certificate = ders.ok ? parseCertificate(ders.value[0] ?? new Uint8Array()) : ders;
  if (certificate.ok) return { ok: true, certificate: certificate.value };
  return { ok: false, problem: `--certificate: not a PEM certificate: ${certificate.detail ?? certificate.code}` };
}

async function readAtMost(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    // Leaving the loop closes the stream.
    if (length > MAX_BYTES) break;
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes.toString("latin1");
  }
}
