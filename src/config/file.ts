// A configuration file's bytes → what each of its keys says, with line and column. One file, one YAML document, UTF-8, at most
// 1 MiB; `${NAME}` is the environment's. Whether the values are valid is judged in `load.ts`, with those of all other sources.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { parseYamlNodes } from "../base/yaml.ts";
import { substituteEnvironment } from "./environment.ts";
import { type ConfigItem, readConfigTree } from "./file-tree.ts";

/** A file that could be read, or sentences that say why not. */
export type ConfigFile =
  | {
      readonly ok: true;
      readonly path: string;
      readonly items: readonly ConfigItem[];
      /** `file:line:col` of a place that an item names. */
      locate(offset: number): string;
      /** Names of `${NAME}` that the environment does not have; the text stayed as it was. */
      readonly unset: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly string[] };

const MAX_BYTES = 1024 ** 2;

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads and parses a file. */
export function loadConfigFile(path: string, env: Environment): ConfigFile {
  let bytes: Uint8Array;
  try {
    bytes = readBounded(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { ok: false, problems: [`${path}: cannot be read: ${(code && REASONS[code]) ?? code ?? message}`] };
  }
  return parseConfigFile(path, bytes, env);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a folder: name a file",
  ENOTDIR: "a part of the path is no folder",
  ELOOP: "symbolic links in a circle",
};

/** At most one byte more than is allowed, so that an endless file ends too. */
function readBounded(path: string): Uint8Array {
  // SECURITY: a FIFO without a writer would stop a reload, and with it every check, for good.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const kind = fstatSync(fd);
    if (kind.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    if (!kind.isFile()) throw new Error("not a regular file");
    const buffer = Buffer.allocUnsafe(MAX_BYTES + 1);
    let length = 0;
    for (;;) {
      const count = readSync(fd, buffer, length, buffer.length - length, null);
      length += count;
      if (count === 0 || length === buffer.length) return buffer.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}

/** Parses a file's bytes; `path` is for the sentences. */
export function parseConfigFile(path: string, bytes: Uint8Array, env: Environment): ConfigFile {
  if (bytes.length > MAX_BYTES) return { ok: false, problems: [`${path}: larger than ${MAX_BYTES} bytes`] };
  const original = decodeText(bytes);
  if (original === undefined) return { ok: false, problems: [`${path}: not UTF-8: save it in that encoding`] };
  const { text, unset, toOriginal } = substituteEnvironment(original, env);
  // A variable may hold anything; what it blows up is refused like a large file.
  if (text.length > MAX_BYTES) {
    return { ok: false, problems: [`${path}: larger than ${MAX_BYTES} characters with its variables put in`] };
  }
  const locate = (offset: number): string => `${path}:${lineAndColumn(original, toOriginal(offset))}`;
  const parsed = parseYamlNodes(text);
  if (!parsed.ok) {
    return {
      ok: false,
      problems: parsed.problems.map(({ offset, message }) => `${locate(offset)}: not valid YAML: ${message}`),
    };
  }
  return { ok: true, path, items: readConfigTree(parsed.root), locate, unset };
}

/** The text without its byte order mark; undefined when it is not UTF-8. */
function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Both counted from 1; columns in UTF-16 units, as editors count. */
function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  return `${before.split("\n").length}:${before.length - start + 1}`;
}
