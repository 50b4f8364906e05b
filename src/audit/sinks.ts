// Where audit lines go: standard output or a file. One write is in the air at a time, so memory stays with the queue.
// It does not rotate files: it opens them anew when told to (SIGHUP), as logrotate expects.

import { close, closeSync, constants, fdatasync, fstatSync, openSync, readSync, write, writev } from "node:fs";
import { promisify } from "node:util";
import { fail, ok, type Result } from "../base/result.ts";

/** Takes bytes, in order. */
export interface AuditSink {
  /** Writes some of the parts' bytes in order, at least one; resolves to how many. Rejects when it could write none. */
  write(parts: readonly Uint8Array[]): Promise<number>;
  /** Opens the target anew; throws and keeps the old one when that fails. Never called while a write is in the air. */
  reopen(): void;
  close(): Promise<void>;
}

/** What `--audit` names. */
export type AuditTarget =
  | { readonly kind: "stdout" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "none" };

/** Parses `stdout`, `file:PATH` or `none`. */
export function parseAuditTarget(text: string): Result<AuditTarget, "audit_target"> {
  if (text === "stdout" || text === "none") return ok({ kind: text });
  if (text.startsWith("file:") && text.length > 5 && !text.includes("\0"))
    return ok({ kind: "file", path: text.slice(5) });
  return fail("audit_target", `audit target \`${text}\` is not known: use \`stdout\`, \`file:PATH\` or \`none\``);
}

/** A place that an audit trail cannot be written to. */
export class AuditSinkError extends Error {
  override readonly name = "AuditSinkError";
}

/** Opens the sink of a target; undefined for `none`. Throws `AuditSinkError` when the target cannot be written to. */
export function openAuditSink(target: AuditTarget): AuditSink | undefined {
  if (target.kind === "none") return undefined;
  return target.kind === "stdout" ? createStdoutSink() : openFileSink(target.path);
}

const writeFd = promisify(write);
const writeParts = async (fd: number, parts: readonly Uint8Array[]): Promise<number> =>
  (await writevFd(fd, parts)).bytesWritten;
const writevFd = promisify(writev);
const closeFd = promisify(close);
const syncFd = promisify(fdatasync);
const STDOUT = 1;

/**
 * Creates the sink on standard output.
 * Pipes and sockets are written by Node's stream, which does not block the process when the reader is slow; files and terminals by
 * `fs.write`, since Node's stream would block on a file.
 */
export function createStdoutSink(): AuditSink {
  const stat = fstatSync(STDOUT);
  if (!stat.isFIFO() && !stat.isSocket()) {
    return {
      write: (parts) => writeParts(STDOUT, parts),
      reopen: () => undefined,
      close: async () => undefined,
    };
  }
  const { stdout } = process;
  // The failed write reports the error; without a listener a closed pipe would end the process.
  stdout.on("error", () => undefined);
  return {
    write: (parts) =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.concat(parts);
        stdout.write(bytes, (error) => {
          if (error == null) resolve(bytes.length);
          else reject(error);
        });
      }),
    reopen: () => undefined,
    close: async () => undefined,
  };
}

// SECURITY: O_NOFOLLOW, so that whoever can write to the folder cannot point the trail at another file; O_NONBLOCK, so that opening
// a FIFO returns and is refused below instead of waiting for a reader.
const OPEN_FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const FILE_MODE = 0o640;

function openTrail(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, OPEN_FLAGS, FILE_MODE);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ELOOP"
        ? "it is a symbolic link: name the file itself, or use `stdout`"
        : `${code ?? String(error)}: check the folder and its permissions`;
    throw new AuditSinkError(`audit file \`${path}\` cannot be opened: ${why}`, { cause: error });
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new AuditSinkError(`audit file \`${path}\` cannot be opened: it is not a regular file`);
}

/** Whether a file ends within a line, as a crash or a full disk leaves it. */
function endsTorn(path: string): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { size } = fstatSync(fd);
    const last = new Uint8Array(1);
    return size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a;
  } catch {
    return false; // a file that may be appended to but not read
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Opens a file for appending; creates it with mode 0640. Throws `AuditSinkError`. */
export function openFileSink(path: string): AuditSink {
  let fd = openTrail(path);
  let torn = endsTorn(path);
  return {
    write: async (parts) => {
      if (torn) {
        await writeFd(fd, "\n");
        torn = false;
      }
      return writeParts(fd, parts);
    },
    reopen: () => {
      const old = fd;
      fd = openTrail(path);
      torn = endsTorn(path);
      closeSync(old);
    },
    close: async () => {
      await syncFd(fd);
      await closeFd(fd);
    },
  };
}
