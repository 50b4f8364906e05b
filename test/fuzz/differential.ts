// The same octets to our server and to Node's: what both must do the same way, they do.

import { CLIENT_PREFACE } from "../../src/server/http2/frame.ts";
import { Random } from "../support/random.ts";
import type { Answer, Answers } from "./answers.ts";
import { type ClientFrame, toBytes } from "./client-frame.ts";
import { createNodeEcho, createOurEcho } from "./echo-servers.ts";
import { FuzzClient } from "./fuzz-client.ts";
import { explainEnd, explainStream, type SentFacts, toSentFacts } from "./known-differences.ts";
import { mutate } from "./mutations.ts";
import { ServerWatch } from "./server-watch.ts";

export interface DifferentialFigures {
  valid: number;
  mutated: number;
  /** Streams whose answers were the same. */
  sameStreams: number;
  /** Conversations that both ended. */
  bothEnded: number;
  bothWentOn: number;
  /** What they did differently, by the reason (known-differences.ts). */
  readonly explained: Record<string, number>;
}

/** Something that the two did differently and that nothing explains. */
export interface Difference {
  /** Of the conversation. */
  readonly number: number;
  readonly what: string;
  readonly batches: readonly string[];
}

/** Steps of a valid client, each the frames of a batch. */
function createBatches(random: Random): { readonly batches: ClientFrame[][]; readonly malformed: ReadonlySet<number> } {
  const watch = new ServerWatch(CLIENT_PREFACE.length, true);
  const client = new FuzzClient({
    random,
    watch,
    maxStreams: 20,
    maxMessageBytes: 400,
    maxContinuations: 6,
    headerTableBytes: 4096,
    requests: 2 + random.below(10),
    usesThreads: false,
    isSmall: true,
  });
  const batches = [[FuzzClient.firstSettings(random)]];
  // Nobody answers it here, so it goes on until all is sent: bodies are small enough for every first window.
  for (let step = 0; step < 300 && !client.isContent; step++) batches.push(client.next());
  batches.push(client.openUp());
  const malformed = client.requests.filter(({ expected }) => expected.kind === "reset").map(({ id }) => id);
  return { batches, malformed: new Set(malformed) };
}

async function run(bytes: readonly Buffer[]): Promise<{ readonly ours: Answers; readonly nodes: Answers }> {
  const ours = createOurEcho();
  const nodes = createNodeEcho();
  for (const one of bytes) {
    await ours.send(one);
    await nodes.send(one);
  }
  await ours.finish();
  await nodes.finish();
  return { ours: ours.answers, nodes: nodes.answers };
}

const isEnded = ({ goawayCode, hasEnded }: Answers): boolean =>
  hasEnded || (goawayCode !== undefined && goawayCode !== 0);

/** As text, so that two can be compared. */
const outcomeOf = (answer: Answer | undefined): string => {
  if (answer === undefined) return "nothing";
  if (answer.hasEnded && answer.status !== undefined) return `${answer.status} ${answer.body}`;
  return answer.resetCode === undefined ? "unfinished" : "reset";
};

/** Runs `count` conversations, each as it is and with one batch changed. */
export async function compareWithNode(
  seed: number,
  count: number,
  onDifference: (difference: Difference) => void,
): Promise<DifferentialFigures> {
  const figures: DifferentialFigures = {
    valid: 0,
    mutated: 0,
    sameStreams: 0,
    bothEnded: 0,
    bothWentOn: 0,
    explained: {},
  };
  for (let number = 0; number < count; number++) {
    const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0xc2b2ae35));
    const { batches, malformed } = createBatches(random);
    const whole = batches.map(toBytes);
    whole[0] = Buffer.concat([CLIENT_PREFACE, whole[0] as Buffer]);
    const at = 1 + random.below(batches.length - 1);
    const broken = [...whole];
    broken[at] = mutate(batches[at] as ClientFrame[], random);
    for (const bytes of [whole, broken]) {
      const isValid = bytes === whole;
      figures[isValid ? "valid" : "mutated"]++;
      const { ours, nodes } = await run(bytes);
      const compared = { ours, nodes, isValid, malformed, facts: toSentFacts(bytes, CLIENT_PREFACE.length) };
      for (const what of differences(compared, figures)) {
        onDifference({ number, what, batches: bytes.map((one) => one.toString("hex")) });
      }
    }
  }
  return figures;
}

interface Compared {
  readonly ours: Answers;
  readonly nodes: Answers;
  readonly isValid: boolean;
  /** Streams whose requests are malformed from the start. */
  readonly malformed: ReadonlySet<number>;
  readonly facts: SentFacts;
}

/** What nothing explains. */
function differences({ ours, nodes, isValid, malformed, facts }: Compared, figures: DifferentialFigures): string[] {
  const explain = (reason: string): void => {
    figures.explained[reason] = (figures.explained[reason] ?? 0) + 1;
  };
  const didWe = isEnded(ours);
  const didNode = isEnded(nodes);
  if (didWe && didNode && !isValid) {
    figures.bothEnded++;
    return [];
  }
  if (didWe || didNode) {
    const reason = isValid ? undefined : explainEnd(ours, nodes, didWe, facts);
    if (reason === undefined) return [`ended: we ${didWe} ${ours.goawayCode}, node ${didNode} ${nodes.goawayCode}`];
    explain(reason);
    return [];
  }
  figures.bothWentOn++;
  const found: string[] = [];
  for (const id of new Set([...ours.streams.keys(), ...nodes.streams.keys()])) {
    const our = ours.streams.get(id);
    const node = nodes.streams.get(id);
    if (outcomeOf(our) === outcomeOf(node)) {
      figures.sameStreams++;
      continue;
    }
    // What a change on its way makes of a request nobody has noted.
    const reason = explainStream(id, our, node, facts, !isValid || malformed.has(id));
    if (reason === undefined)
      found.push(`stream ${id}: we ${outcomeOf(our)} ${our?.resetCode}, node ${outcomeOf(node)} ${node?.resetCode}`);
    else explain(reason);
  }
  return found;
}
