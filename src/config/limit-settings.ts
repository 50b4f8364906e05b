// The limits of connections that contradict each other, and those that the chosen listener does not have.

import { type Config, FIELDS, type FieldName } from "./fields.ts";

/** What a frame holds unless an endpoint says otherwise, and svidgate does not. SPEC: RFC 9113 §6.5.2. */
const FRAME_BYTES = 16_384;

/** Limits that grpc-js does not have; the fields say so too. */
const LINE_RATE_ONLY = [
  "idleTimeoutMs",
  "maxConnectionAgeMs",
  "maxHeaderListBytes",
  "maxHeaderTableBytes",
  "maxContinuations",
  "maxControlFramesPerSecond",
  "maxResetsPerSecond",
  "maxUnfinishedBytes",
  "maxUnsentBytes",
  "requestTimeoutMs",
  "writeTimeoutMs",
] as const satisfies readonly FieldName[];

/** A message takes somewhat more than its bytes, and another may be under way. */
const MESSAGES_THAT_FIT = 2;

/** What is set, else the default, raised where larger messages are allowed than it has room for. */
export function toMaxUnfinishedBytes(config: Config, given: ReadonlySet<FieldName>): number {
  const { maxUnfinishedBytes, maxRequestBytes } = config;
  return given.has("maxUnfinishedBytes")
    ? maxUnfinishedBytes
    : Math.max(maxUnfinishedBytes, MESSAGES_THAT_FIT * maxRequestBytes);
}

/** Adds what is wrong to `problems`, and to `notes` what was set (`given`) without effect. */
export function checkLimits(config: Config, given: ReadonlySet<FieldName>, problems: string[], notes: string[]): void {
  if (config.listener === "grpc-js") {
    for (const name of LINE_RATE_ONLY) {
      if (given.has(name)) notes.push(`${FIELDS[name].key}: has no effect with \`--listener grpc-js\``);
    }
    return;
  }
  const { maxRequestBytes, maxUnsentBytes, maxHeaderListBytes, maxContinuations } = config;
  const maxUnfinishedBytes = toMaxUnfinishedBytes(config, given);
  if (maxUnfinishedBytes < MESSAGES_THAT_FIT * maxRequestBytes) {
    problems.push(
      `${FIELDS.maxUnfinishedBytes.key}: ${maxUnfinishedBytes} bytes, less than ${MESSAGES_THAT_FIT} messages may have (\`${FIELDS.maxRequestBytes.key}\`, ${maxRequestBytes} each), so that a message that is allowed could end its connection: raise the one or lower the other`,
    );
  }
  if (maxUnfinishedBytes < maxUnsentBytes) {
    problems.push(
      `${FIELDS.maxUnsentBytes.key}: ${maxUnsentBytes} bytes, more than all connections together may hold (\`${FIELDS.maxUnfinishedBytes.key}\`, ${maxUnfinishedBytes}): raise that or lower this`,
    );
  }
  const blockBytes = (1 + maxContinuations) * FRAME_BYTES;
  if (blockBytes < maxHeaderListBytes) {
    problems.push(
      `${FIELDS.maxContinuations.key}: a header block of ${1 + maxContinuations} frames has at most ${blockBytes} bytes, less than \`${FIELDS.maxHeaderListBytes.key}\` allows: say at least ${Math.ceil(maxHeaderListBytes / FRAME_BYTES) - 1}, or lower that`,
    );
  }
  if (
    given.has("idleTimeoutMs") &&
    given.has("maxConnectionAgeMs") &&
    config.idleTimeoutMs > config.maxConnectionAgeMs
  ) {
    notes.push(`${FIELDS.idleTimeoutMs.key}: has no effect, for \`${FIELDS.maxConnectionAgeMs.key}\` is shorter`);
  }
}
