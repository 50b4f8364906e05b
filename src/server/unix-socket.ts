// Makes the place of a unix socket free: removes what a dead process left behind, and nothing else.
// SECURITY: a symlink, a regular file or a folder at the path is refused, never removed or followed: whoever can put one
// there could otherwise have us delete a file, or have Envoy talk to a socket that is not ours.

import { type BigIntStats, lstatSync, statSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { fail, ok, type Result } from "../base/result.ts";

export type SocketPathCode = "socket_path_occupied" | "socket_in_use" | "listen_permission" | "listen_failed";

/**
 * Makes sure that nothing is at `path`, or says why it stays.
 * A socket file is removed only when a connection to it is refused, so no living process loses its listener.
 */
export async function clearSocketPath(path: string): Promise<Result<undefined, SocketPathCode>> {
  const folder = dirname(path);
  if (!isFolder(folder)) {
    return fail(
      "listen_failed",
      `cannot listen on \`unix:${path}\`: the folder \`${folder}\` does not exist; make it first`,
    );
  }
  const found = look(path);
  if (!found.ok || found.value === undefined) return found.ok ? ok(undefined) : found;
  if (!found.value.isSocket()) {
    const kind = found.value.isSymbolicLink() ? "a symbolic link" : found.value.isDirectory() ? "a folder" : "a file";
    return fail(
      "socket_path_occupied",
      `cannot listen on \`unix:${path}\`: ${kind} is in the way; remove it or choose another path`,
    );
  }
  const probe = await probeSocket(path);
  if (probe === "answered") {
    return fail(
      "socket_in_use",
      `cannot listen on \`unix:${path}\`: another process answers there; stop it or choose another path`,
    );
  }
  if (probe !== "refused") {
    return fail(
      "listen_permission",
      `cannot tell whether \`unix:${path}\` is in use: ${probe}; remove it or choose another path`,
    );
  }
  // Two processes may find the same stale file: the second must not remove the socket that the first has just made.
  const again = look(path);
  if (!again.ok || again.value === undefined) return again.ok ? ok(undefined) : again;
  if (again.value.ino !== found.value.ino || again.value.ctimeNs !== found.value.ctimeNs) {
    return fail(
      "socket_in_use",
      `cannot listen on \`unix:${path}\`: another process has just taken it; choose another path`,
    );
  }
  try {
    unlinkSync(path);
    return ok(undefined);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unknown error";
    return reason === "ENOENT"
      ? ok(undefined)
      : fail(
          "listen_permission",
          `cannot remove the stale socket \`${path}\`: ${reason}; remove it or choose another path`,
        );
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function look(path: string): Result<BigIntStats | undefined, SocketPathCode> {
  try {
    return ok(lstatSync(path, { bigint: true, throwIfNoEntry: false }));
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unknown error";
    return fail("listen_failed", `cannot listen on \`unix:${path}\`: ${reason} when looking at the path`);
  }
}

/** `refused` = nobody listens; `answered` = somebody does; else the system's error code. */
function probeSocket(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve("answered");
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // EAGAIN: the backlog of a living listener is full. ENOENT: gone since we looked.
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve("refused");
      else resolve(error.code === "EAGAIN" ? "answered" : (error.code ?? "unknown error"));
    });
  });
}
