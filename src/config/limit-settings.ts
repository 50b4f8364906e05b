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

/** Adds what is wrong to `problems`, and to `notes` what was set (`given`) without effect. */
export function checkLimits(config: Config, given: ReadonlySet<FieldName>, problems: string[], notes: string[]): void {
  if (config.listener === "grpc-js") {
    for (const name of LINE_RATE_ONLY) {
      if (given.has(name)) notes.push(`${FIELDS[name].key}: has no effect with \`--listener grpc-js\``);
    }
    return;
  }
  const { maxRequestBytes, maxUnfinishedBytes, maxHeaderListBytes, maxContinuations } = config;
  if (maxUnfinishedBytes < maxRequestBytes) {
    problems.push(
      `${FIELDS.maxUnfinishedBytes.key}: ${maxUnfinishedBytes} bytes, less than one message may have (\`${FIELDS.maxRequestBytes.key}\`, ${maxRequestBytes}), so that a message that is allowed would end its connection: raise the one or lower the other`,
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
