// Keeps in force what the file of the deny list says: a change denies within some ten milliseconds. Whatever is not a whole, valid
// list leaves the last good one in force, also over a restart when there is a folder for it; no list at all denies everybody.
// SECURITY: a list that is being written must not lift a deny. JSON that is cut off is no JSON; YAML that is cut off may be a shorter
// list, so YAML counts when the file has been still for 50 ms. An empty file is no list.

import { webcrypto } from "node:crypto";
import { stat } from "node:fs/promises";
import { inSlices } from "../../base/steps.ts";
import { type DenyList, parseDenyListSteps } from "../deny-list.ts";
import { isJsonList } from "../deny-list-text.ts";
import { type LastGood, openLastGood } from "./last-good.ts";
import type { SourcePorts } from "./running-source.ts";
import { type FileFacts, isSameFile, readBounded, SETTLED_MS, toFacts, watchFile } from "./watched-file.ts";

/** Which file, and where its last good text is kept; without a folder it is kept in memory alone. */
export interface DenyListFileOptions {
  readonly path: string;
  readonly stateDir?: string | undefined;
}

/** How it waits, and whom it tells. */
export interface DenyListPorts extends SourcePorts {
  /** Poll interval of the file; see `watchFile`. */
  readonly pollMs?: number;
  /** Seconds from the change of the file to its list being in force; not called for the list of the start. */
  onApplied?(seconds: number): void;
  /** A sentence for the log; the same one is told once until something changes. */
  onProblem?(problem: string): void;
}

/** What is in force. */
export interface DenyListStatus {
  /** Where the list in force comes from; undefined when there is none, and everybody is denied. */
  readonly origin: "file" | "state_dir" | undefined;
  readonly entries: number;
  /** 0 without a list, then one more for each list with another content. */
  readonly generation: number;
  readonly appliedUnixMs: number | undefined;
  /** Of the last change; undefined before the first. */
  readonly applySeconds: number | undefined;
  /** Why the list in force is not what the file says, as a sentence; undefined while it is. */
  readonly problem: string | undefined;
  /** Why the list would not outlive a restart; undefined when it would, or need not. */
  readonly keepProblem: string | undefined;
}

/** A deny list that follows its file. */
export interface DenyListFile {
  /** Without a list, one that denies everybody. */
  current(): DenyList;
  /** Resolves when the first attempt is over; without a list `status().origin` is then undefined, and a start is to be refused. */
  readonly ready: Promise<void>;
  /** Reads the file now, and tells a problem anew; resolves when the list is in force and kept. */
  reload(): Promise<void>;
  status(): DenyListStatus;
  /** Calls after each change of the list in force; what comes back ends that. */
  onChange(listen: () => void): () => void;
  close(): void;
}

/** PERF: a hundred thousand entries are about 16 MB as JSON. */
const MAX_BYTES = 32 * 1024 * 1024;
/** A file that is written for longer than this many looks is told as a problem, and read again at its next change. */
const MAX_READS = 40;
const KEY = "svidgate.identity.deny_list";

/** Denies everybody. */
const NO_LIST: DenyList = {
  entries: 0,
  find: () => ({
    id: "no-list",
    reason: "no deny list could be read",
    kind: "trust_domain",
    key: "",
    expiresUnixMs: Number.POSITIVE_INFINITY,
    issuedBeforeUnixMs: Number.POSITIVE_INFINITY,
  }),
};

/** Reads the file, and again after each change, until it is closed. */
export function startDenyListFile(options: DenyListFileOptions, ports: DenyListPorts): DenyListFile {
  return new FollowedDenyList(options, ports);
}

type Loaded =
  | { readonly ok: true; readonly list: DenyList; readonly bytes: Uint8Array; readonly changedUnixMs: number }
  | { readonly ok: false; readonly why: string };

class FollowedDenyList implements DenyListFile {
  readonly ready: Promise<void>;
  readonly #path: string;
  readonly #ports: DenyListPorts;
  readonly #lastGood: LastGood | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #stop: () => void;
  #list: DenyList | undefined;
  #digest = "";
  /** The list in force is in the folder; while it is not, each look tries again. */
  #isKept = true;
  #status: Omit<DenyListStatus, "entries">;
  #isClosed = false;
  // One attempt after the other: an earlier one must not be the last to come into force.
  #loading: Promise<void>;
  #keeping = Promise.resolve();

  constructor({ path, stateDir }: DenyListFileOptions, ports: DenyListPorts) {
    this.#path = path;
    this.#ports = ports;
    this.#lastGood = stateDir === undefined ? undefined : openLastGood(stateDir, "deny-list");
    this.#status = {
      origin: undefined,
      generation: 0,
      appliedUnixMs: undefined,
      applySeconds: undefined,
      problem: undefined,
      keepProblem: undefined,
    };
    // Watched before it is first read, so that no change falls between.
    const watched = watchFile(path, ports, () => {
      this.#loading = this.#loading.then(() => this.#follow());
    });
    this.#stop = () => watched.close();
    this.#loading = this.#start();
    this.ready = this.#loading.then(() => this.#keeping);
  }

  current(): DenyList {
    return this.#list ?? NO_LIST;
  }

  status(): DenyListStatus {
    return { ...this.#status, entries: this.current().entries };
  }

  reload(): Promise<void> {
    this.#loading = this.#loading.then(() => {
      this.#status = { ...this.#status, problem: undefined, keepProblem: undefined };
      return this.#follow();
    });
    return this.#loading.then(() => this.#keeping);
  }

  onChange(listen: () => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    this.#listeners.clear();
  }

  async #start(): Promise<void> {
    const loaded = await this.#load();
    if (this.#isClosed) return;
    if (loaded.ok) return this.#apply(loaded, "file");
    // SECURITY: one that others may write could lift every deny.
    const own = await this.#lastGood?.load(MAX_BYTES);
    const bytes = own?.ok ? own.value : undefined;
    const kept = bytes && (await parse(bytes, this.#ports));
    if (bytes && kept?.ok)
      await this.#apply({ ok: true, list: kept.list, bytes, changedUnixMs: Number.NaN }, "state_dir");
    if (!this.#isClosed) this.#tell(loaded.why);
  }

  async #follow(): Promise<void> {
    if (this.#isClosed) return;
    const loaded = await this.#load();
    if (this.#isClosed) return;
    if (loaded.ok) await this.#apply(loaded, "file");
    else this.#tell(loaded.why);
  }

  async #load(): Promise<Loaded> {
    for (let reads = 1; ; reads++) {
      const read = await readBounded(this.#path, MAX_BYTES);
      if (!read.ok && read.code === "changing" && reads < MAX_READS) continue;
      if (!read.ok) return { ok: false, why: read.detail ?? read.code };
      const { bytes, facts } = read.value;
      const parsed = await parse(bytes, this.#ports);
      // A text that may be half of what is being written counts when nobody goes on writing.
      const mayBeHalf = !parsed.ok || !parsed.isWhole;
      if (mayBeHalf && reads < MAX_READS && (await this.#changesSoon(facts))) continue;
      return parsed.ok ? { ok: true, list: parsed.list, bytes, changedUnixMs: changedUnixMs(facts) } : parsed;
    }
  }

  /** Waits until the file is 50 ms old; whether it is another one then. */
  async #changesSoon(facts: FileFacts): Promise<boolean> {
    const { clock, timers } = this.#ports;
    const waitMs = Math.min(changedUnixMs(facts) + SETTLED_MS - clock.unixMs(), SETTLED_MS);
    if (waitMs > 0) {
      // Timers keep no process alive, but one that starts has nothing else yet that does.
      const alive = setInterval(() => undefined, SETTLED_MS);
      await new Promise<void>((resolve) => timers.after(waitMs, resolve));
      clearInterval(alive);
    }
    const now = await stat(this.#path, { bigint: true }).then(toFacts, () => undefined);
    return !isSameFile(facts, now);
  }

  async #apply({ list, bytes, changedUnixMs }: Loaded & { ok: true }, origin: "file" | "state_dir"): Promise<void> {
    const digest = Buffer.from(await webcrypto.subtle.digest("SHA-256", bytes)).toString("base64");
    // SECURITY: whoever was closed has a successor, whose newer list must not be overwritten on disk.
    if (this.#isClosed) return;
    const isFirst = this.#list === undefined;
    const isNew = digest !== this.#digest;
    const appliedUnixMs = this.#ports.clock.unixMs();
    const seconds = Math.max(appliedUnixMs - changedUnixMs, 0) / 1_000;
    this.#status = {
      ...this.#status,
      origin,
      problem: undefined,
      ...(isNew && { generation: this.#status.generation + 1, appliedUnixMs }),
      ...(isNew && !isFirst && { applySeconds: seconds }),
    };
    if (isNew) {
      this.#list = list;
      this.#digest = digest;
      if (!isFirst) this.#ports.onApplied?.(seconds);
      for (const listen of this.#listeners) listen();
    }
    if (origin === "state_dir" || (!isNew && this.#isKept)) return;
    this.#isKept = false;
    this.#keeping = this.#keeping.then(() => this.#keep(bytes));
  }

  async #keep(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.#lastGood?.save(bytes);
      this.#isKept = true;
      this.#status = { ...this.#status, keepProblem: undefined };
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      const keepProblem = `svidgate.state_dir: the deny list cannot be kept for a restart: ${why}`;
      const isKnown = keepProblem === this.#status.keepProblem;
      this.#status = { ...this.#status, keepProblem };
      if (!isKnown && !this.#isClosed) this.#ports.onProblem?.(keepProblem);
    }
  }

  #tell(why: string): void {
    const { origin } = this.#status;
    const meanwhile =
      origin === undefined
        ? "everybody is denied without a list: give one, without entries it is `entries: []`"
        : `the last good list stays in force${origin === "state_dir" ? ", from svidgate.state_dir" : ""}`;
    const problem = `${KEY}: \`${this.#path}\`: ${why}: ${meanwhile}`;
    const isKnown = problem === this.#status.problem;
    this.#status = { ...this.#status, problem };
    if (!isKnown) this.#ports.onProblem?.(problem);
  }
}

/** When a file got its content or its name: a rename leaves the time of modification as it was. */
const changedUnixMs = ({ mtimeNs, ctimeNs }: FileFacts): number =>
  Number((ctimeNs > mtimeNs ? ctimeNs : mtimeNs) / 1_000n) / 1_000;

type Parsed =
  | { readonly ok: true; readonly list: DenyList; readonly isWhole: boolean }
  | { readonly ok: false; readonly why: string };

async function parse(bytes: Uint8Array, { clock }: SourcePorts): Promise<Parsed> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { ok: false, why: "its bytes are not UTF-8" };
  }
  const parsed = await inSlices(parseDenyListSteps(text), clock);
  return parsed.ok
    ? { ok: true, list: parsed.value, isWhole: isJsonList(text) }
    : { ok: false, why: parsed.detail ?? parsed.code };
}
