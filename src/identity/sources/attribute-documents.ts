// Data documents of attributes from files, each with its signature where a public key is configured. A change of a file, of its
// signature or of the key is taken up within about a second; a document is read whole or the last good one stays.
// The first read decides whether svidgate starts: `ready` gives what is wrong.

import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { inSlices } from "../../base/steps.ts";
import { type AttributeData, isYamlName, MAX_DATA_BYTES, parseAttributeDataSteps } from "../attribute-data.ts";
import {
  isSignedBy,
  MAX_PUBLIC_KEY_BYTES,
  MAX_SIGNATURE_BYTES,
  parseSignatureKey,
  type SignatureKey,
} from "../attribute-signature.ts";
import type { AttributeDocuments } from "../attributes.ts";
import type { SourcePorts } from "./running-source.ts";
import { isFresh, readBounded, watchFile } from "./watched-file.ts";

/** Which files; with a key, each needs `FILE.sig`. */
export interface DocumentFilesOptions {
  readonly files: readonly string[];
  /** Path of a public key in PEM. */
  readonly publicKey?: string | undefined;
}

/** What the files are read with. */
export interface DocumentFilesPorts extends SourcePorts {
  /** Receives what is wrong with a file that changed, a sentence each; not what `ready` and `reload` give back. */
  readonly onProblem?: (problem: string) => void;
  /** How long a change without an event can stay unseen; see `watchFile`. */
  readonly pollMs?: number;
}

/** One file, for `/status`. */
export interface DocumentFileStatus {
  readonly file: string;
  /** Entries in force; undefined while no document was ever good. */
  readonly entries: number | undefined;
  /** SHA-256 of the document in force, lower-case hex. */
  readonly sha256: string | undefined;
  readonly loadedUnixMs: number | undefined;
  readonly isSigned: boolean;
  /** Why the file, as it is now, is not in force. */
  readonly problem: string | undefined;
}

/** The files at work. `generation` is 0 until the first document is in force. */
export interface DocumentFiles extends AttributeDocuments {
  /** What is wrong after the first read of all of them, a sentence each: any of it is a reason not to start. Never rejects. */
  readonly ready: Promise<readonly string[]>;
  /** Reads all of them now; gives back what is wrong. */
  reload(): Promise<readonly string[]>;
  status(): readonly DocumentFileStatus[];
  close(): void;
}

interface Held {
  readonly data: AttributeData;
  readonly sha256: string;
  readonly loadedUnixMs: number;
}

/** Reads the files, and again after each change, until it is closed. */
export function startDocumentFiles(
  { files, publicKey }: DocumentFilesOptions,
  ports: DocumentFilesPorts,
): DocumentFiles {
  const { clock } = ports;
  const held = new Map<string, Held>();
  const problems = new Map<string, string>();
  let documents: readonly AttributeData[] = [];
  let generation = 0;
  let isClosed = false;
  let loading: Promise<unknown> = Promise.resolve();

  async function load(file: string, isTold: boolean): Promise<void> {
    const loaded = await loadDocument(file, publicKey, clock);
    if (isClosed || (isTold && loaded.mayBeHalf)) return;
    if (!loaded.ok) {
      const rest = held.has(file) ? ": the last good one stays in force" : "";
      const problem = `svidgate.identity.attributes.files: \`${file}\`: ${loaded.why}${rest}`;
      const isNew = problems.get(file) !== problem;
      problems.set(file, problem);
      if (isTold && isNew) ports.onProblem?.(problem);
      return;
    }
    problems.delete(file);
    if (held.get(file)?.sha256 === loaded.sha256) return;
    held.set(file, { data: loaded.data, sha256: loaded.sha256, loadedUnixMs: clock.unixMs() });
    documents = files.flatMap((name) => held.get(name)?.data ?? []);
    generation++;
  }

  /** One read after the other, so that an earlier one is never the last to count. */
  function enqueue(some: readonly string[], isTold: boolean): Promise<readonly string[]> {
    const done = loading.then(async () => {
      for (const file of some) if (!isClosed) await load(file, isTold);
      return [...problems.values()];
    });
    loading = done;
    return done;
  }

  const watchers = [...new Set(files)].flatMap((file) =>
    [file, ...(publicKey === undefined ? [] : [`${file}.sig`])].map((path) =>
      watchFile(path, ports, () => void enqueue([file], true)),
    ),
  );
  if (publicKey !== undefined) watchers.push(watchFile(publicKey, ports, () => void enqueue(files, true)));
  return {
    ready: enqueue(files, false),
    reload: () => enqueue(files, false),
    get generation() {
      return generation;
    },
    current: () => documents,
    status: () =>
      files.map((file) => ({
        file,
        entries: held.get(file)?.data.entries,
        sha256: held.get(file)?.sha256,
        loadedUnixMs: held.get(file)?.loadedUnixMs,
        isSigned: publicKey !== undefined,
        problem: problems.get(file),
      })),
    close: () => {
      isClosed = true;
      for (const watcher of watchers) watcher.close();
    },
  };
}

type Loaded =
  /** `mayBeHalf`: somebody may not be done writing; the watcher is sure to tell once more. */
  | { readonly ok: true; readonly data: AttributeData; readonly sha256: string; readonly mayBeHalf: boolean }
  | { readonly ok: false; readonly why: string; readonly mayBeHalf: boolean };

async function loadDocument(file: string, publicKey: string | undefined, clock: Clock): Promise<Loaded> {
  const read = await readBounded(file, MAX_DATA_BYTES);
  if (!read.ok) return { ok: false, why: read.detail ?? read.code, mayBeHalf: read.code === "changing" };
  const { bytes, facts } = read.value;
  const mayBeHalf = isFresh(facts, clock);
  if (publicKey !== undefined) {
    const key = await loadKey(publicKey);
    if (!key.ok) return { ok: false, why: key.why, mayBeHalf };
    const signature = await readBounded(`${file}.sig`, MAX_SIGNATURE_BYTES);
    if (!signature.ok)
      return { ok: false, why: `its signature \`${file}.sig\` ${signature.detail ?? signature.code}`, mayBeHalf };
    // SECURITY: not one byte of the document is parsed before it is known who wrote it.
    if (!isSignedBy(key.key, bytes, signature.value.bytes.toString("latin1")))
      return { ok: false, why: `\`${file}.sig\` is not its signature by the key of \`${publicKey}\``, mayBeHalf };
  }
  const parsed = await inSlices(parseAttributeDataSteps(file, bytes), clock);
  if (!parsed.ok) return { ok: false, why: parsed.detail ?? parsed.code, mayBeHalf };
  // JSON that is cut off is no JSON, and half of what is signed has no signature; YAML that is cut off may be a shorter document.
  const isWhole = publicKey !== undefined || !isYamlName(file);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { ok: true, data: parsed.value, sha256, mayBeHalf: mayBeHalf && !isWhole };
}

async function loadKey(
  path: string,
): Promise<{ readonly ok: true; readonly key: SignatureKey } | { readonly ok: false; readonly why: string }> {
  const read = await readBounded(path, MAX_PUBLIC_KEY_BYTES);
  if (!read.ok) return { ok: false, why: `the public key \`${path}\` ${read.detail ?? read.code}` };
  const key = parseSignatureKey(read.value.bytes.toString("latin1"));
  return key.ok ? { ok: true, key: key.value } : { ok: false, why: `the public key \`${path}\`: ${key.detail}` };
}
