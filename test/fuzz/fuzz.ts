// Runs conversations until enough frames have been sent: a few at a time on one server, whose state they share.

import { DEFAULT_LIMITS, type Http2Limits } from "../../src/server/http2/limits.ts";
import { Random } from "../support/random.ts";
import { Conversation, type ConversationKind, type Recorded } from "./conversation.ts";
import { FuzzServer } from "./fuzz-server.ts";

export interface FuzzFigures {
  frames: number;
  conversations: number;
  /** Answers of valid conversations that were compared with what they had to be. */
  answers: number;
  /** Conversations by kind, and by the code of the GOAWAY that ended them. */
  readonly kinds: Record<ConversationKind, number>;
  readonly goaways: Record<string, number>;
  readonly connectionEnds: Record<string, number>;
  readonly streamRefusals: Record<string, number>;
}

/** What went wrong, with all that it takes to see it again. */
export interface Reproduction {
  readonly seed: number;
  readonly group: number;
  readonly error: string;
  readonly limits: Http2Limits;
  readonly conversations: readonly { readonly kind: ConversationKind; readonly record: readonly Recorded[] }[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly frames: number;
  /** The first group; each is made of the seed and its own number alone. */
  readonly firstGroup?: number;
  onProgress?(figures: FuzzFigures): void;
}

const ROOMY: Partial<Http2Limits> = {
  maxControlFramesPerSecond: 1e6,
  maxResetsPerSecond: 1e6,
  maxHeaderListBytes: 64 * 1024,
  requestTimeoutMs: 1e9,
  writeTimeoutMs: 1e9,
  keepAliveTimeMs: 1e9,
};

/** Runs groups until `frames` have been sent; undefined in the place of a reproduction when nothing was found. */
export async function fuzz(
  options: FuzzOptions,
): Promise<{ readonly figures: FuzzFigures; readonly found: Reproduction | undefined }> {
  const figures: FuzzFigures = {
    frames: 0,
    conversations: 0,
    answers: 0,
    kinds: { valid: 0, mutated: 0, raw: 0, headless: 0 },
    goaways: {},
    connectionEnds: {},
    streamRefusals: {},
  };
  let before: readonly Conversation[] = [];
  for (let group = options.firstGroup ?? 0; figures.frames < options.frames; group++) {
    const { conversations, server, error } = await runGroup(options.seed, group, before);
    if (error !== undefined) {
      const found = conversations.map(({ kind, record }) => ({ kind, record }));
      return { figures, found: { seed: options.seed, group, error, limits: server.limits, conversations: found } };
    }
    count(figures, conversations, server);
    before = conversations;
    if (group % 64 === 63) options.onProgress?.(figures);
  }
  return { figures, found: undefined };
}

async function runGroup(
  seed: number,
  group: number,
  before: readonly Conversation[],
): Promise<{ conversations: readonly Conversation[]; server: FuzzServer; error: string | undefined }> {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(group + 1, 0x85ebca6b));
  const isRoomy = random.chance(45);
  const server = new FuzzServer(limitsOf(random, isRoomy));
  const usesThreads = isRoomy && group % 200 === 0;
  const conversations = Array.from({ length: 1 + random.below(4) }, () => {
    const kind: ConversationKind =
      isRoomy && random.chance(85) ? "valid" : random.chance(85) ? "mutated" : random.chance(70) ? "raw" : "headless";
    return new Conversation(kind, server, new Random(random.next()), usesThreads);
  });
  try {
    for (;;) {
      const open = conversations.filter(({ isOver }) => !isOver);
      if (open.length === 0) break;
      const one = random.pick(open);
      one.isAlone = open.length === 1;
      await one.step();
    }
    // What was still to come has nowhere to go.
    for (const settle of server.later) settle();
    await conversations[0]?.turn();
    for (const conversation of [...before, ...conversations]) conversation.checkKept();
    if (server.counts.unfinishedBytes !== 0)
      throw new Error(`${server.counts.unfinishedBytes} bytes are held by nobody`);
    if (server.checksOpen !== 0) throw new Error(`${server.checksOpen} checks have not ended`);
    if (server.clock.timers.pending > 1) throw new Error(`${server.clock.timers.pending} timers are left`);
    return { conversations, server, error: undefined };
  } catch (error) {
    return { conversations, server, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function limitsOf(random: Random, isRoomy: boolean): Http2Limits {
  const shared = {
    ...DEFAULT_LIMITS,
    maxConcurrentStreams: random.pick([1, 5, 30, 1024]),
    maxMessageBytes: random.pick([1_000, 60_000, 200_000]),
    maxHeaderTableBytes: random.pick([0, 100, 4096, 4096]),
    maxUnsentBytes: random.pick([1_000, 30_000, 1 << 20]),
  };
  if (isRoomy) return { ...shared, ...ROOMY };
  return {
    ...shared,
    maxHeaderListBytes: random.pick([300, 1_000, 32_768]),
    maxContinuations: random.below(9),
    maxControlFramesPerSecond: random.pick([5, 50, 1_000]),
    maxResetsPerSecond: random.pick([2, 20, 200]),
    maxUnfinishedBytes: random.pick([1_000, 40_000, 1 << 26]),
    requestTimeoutMs: random.pick([50, 1_000, 10_000]),
    writeTimeoutMs: random.pick([50, 1_000, 10_000]),
    keepAliveTimeMs: random.pick([100, 5_000, 30_000]),
    keepAliveTimeoutMs: random.pick([100, 5_000]),
  };
}

function count(figures: FuzzFigures, conversations: readonly Conversation[], server: FuzzServer): void {
  for (const conversation of conversations) {
    figures.conversations++;
    figures.frames += conversation.frames;
    figures.answers += conversation.answers;
    figures.kinds[conversation.kind]++;
    const code = String(conversation.goawayCode);
    figures.goaways[code] = (figures.goaways[code] ?? 0) + 1;
  }
  add(figures.connectionEnds, server.counts.connectionEnds);
  add(figures.streamRefusals, server.counts.streamRefusals);
}

function add(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, number] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + number;
}
