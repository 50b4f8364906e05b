// Reads and writes gzipped tar archives in memory (package tar-stream). Nothing is ever unpacked to disk, so names are
// names and no paths; sizes are bounded before anything is held.

import { gunzipSync, gzipSync } from "node:zlib";
import { extract, pack } from "tar-stream";
import { fail, ok, type Result } from "./result.ts";

/** One regular file of an archive, with its name as it stands there. */
export interface ArchiveFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Why an archive was refused. */
export type ArchiveCode = "archive_not_gzip" | "archive_too_large" | "archive_corrupt";

/**
 * Reads the regular files of a `.tar.gz`. SECURITY: `maxBytes` bounds the unpacked archive, so that a small file
 * cannot fill memory.
 */
export async function readTarGzip(
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Result<readonly ArchiveFile[], ArchiveCode>> {
  let tar: Buffer;
  try {
    tar = gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    return tooLarge
      ? fail("archive_too_large", `unpacks to more than ${maxBytes} bytes`)
      : fail("archive_not_gzip", (error as Error).message);
  }
  const reader = extract();
  const files: ArchiveFile[] = [];
  reader.end(tar);
  try {
    for await (const entry of reader) {
      // The reader would wait for ever for an entry of less than nothing.
      if ((entry.header.size ?? 0) < 0) return fail("archive_corrupt", `\`${entry.header.name}\` has a negative size`);
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      if (entry.header.type === "file") files.push({ name: entry.header.name, bytes: Buffer.concat(chunks) });
    }
  } catch (error) {
    return fail("archive_corrupt", (error as Error).message);
  }
  return ok(files);
}

/** Writes a `.tar.gz` whose bytes depend on the files alone: no dates, no owners. */
export async function writeTarGzip(files: readonly ArchiveFile[]): Promise<Uint8Array> {
  const writer = pack();
  for (const { name, bytes } of files) {
    writer.entry({ name, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 }, Buffer.from(bytes));
  }
  writer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of writer) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks), { level: 9 });
}
