// One stream of the SPIFFE Workload API, kept open: what is asked again, when, and what is known of it. What the messages mean
// is told by whoever starts it.
// SPEC: SPIFFE Workload Endpoint §6 (which codes are worth another try), Workload API §4.2 (reopen what ended).

import type { Clock } from "../../base/clock.ts";
import { status as STATUS, type StreamClient } from "../../base/grpc.ts";
import { toPlainText } from "../../base/plain-text.ts";
import type { Timers } from "../../base/timers.ts";

/**
 * `connected`: a message has come and the stream is open. `denied`: there is no registration entry for us (yet), asked again.
 * `stopped`: the server does not offer it, or says that we ask wrongly; never asked again.
 */
export type WorkloadStreamState = "connected" | "connecting" | "denied" | "stopped";

/** What is known of a stream. */
export interface WorkloadStreamStatus {
  readonly name: WorkloadStreamName;
  readonly state: WorkloadStreamState;
  /** Undefined before the first one. */
  readonly lastMessageUnixMs: number | undefined;
  readonly messages: number;
  /** How often it was opened since the last message. */
  readonly attempts: number;
  /** What went wrong last, one sentence; undefined once a good message has come. */
  readonly problem: string | undefined;
}

export type WorkloadStreamName = "x509_bundles" | "jwt_bundles" | "x509_svid";

/** What happens on a stream. */
export interface WorkloadStreamHandlers {
  /** Reads a message; the sentence says why it, or a part of it, was not taken. */
  onMessage(bytes: Uint8Array): string | undefined;
  /** The stream is not open any more; what it told stays as it was, and is asked for again unless the state is `stopped`. */
  onDown(problem: string, state: WorkloadStreamState): void;
  /** The server does not give us this any more: what it told counts no longer. */
  onWithdrawn(): void;
  /** State, problem or number of messages have changed. */
  onStatus(status: WorkloadStreamStatus): void;
}

export interface WorkloadStreamPorts {
  readonly clock: Clock;
  readonly timers: Timers;
}

export interface WorkloadStream {
  status(): WorkloadStreamStatus;
  /** Ends the stream and all waiting; no handler is called any more. */
  close(): void;
}

const PATH: Readonly<Record<WorkloadStreamName, string>> = {
  x509_bundles: "/SpiffeWorkloadAPI/FetchX509Bundles",
  jwt_bundles: "/SpiffeWorkloadAPI/FetchJWTBundles",
  x509_svid: "/SpiffeWorkloadAPI/FetchX509SVID",
};
/** Every request message is empty. */
const REQUEST = new Uint8Array(0);

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** SPEC: Workload API §4.3: the first message comes without delay; attesting a caller may take its time. */
const FIRST_MESSAGE_MS = 60_000;
/**
 * SPEC: Workload API §5.2: what is denied now counts no longer. An agent that is restarting may deny for a moment what it gives
 * again, so this is believed when it has been said for so long on end.
 */
const DENIED_MS = 60_000;
const MAX_DETAILS = 200;
/** What grpc-js ends a refused connection's sentence with. */
const EMPTY_NOTE = /\.? Resolution note: *$/;

/** Opens the stream at once and keeps it open. */
export function startWorkloadStream(
  name: WorkloadStreamName,
  client: StreamClient,
  { clock, timers }: WorkloadStreamPorts,
  handlers: WorkloadStreamHandlers,
): WorkloadStream {
  let state: WorkloadStreamState = "connecting";
  let lastMessageUnixMs: number | undefined;
  let messages = 0;
  let attempts = 0;
  let problem: string | undefined;
  let deniedSinceMs: number | undefined;
  let cancelTimer: () => void = () => undefined;
  let cancelStream: () => void = () => undefined;

  const status = (): WorkloadStreamStatus => ({ name, state, lastMessageUnixMs, messages, attempts, problem });

  const open = (): void => {
    attempts++;
    cancelTimer = timers.after(FIRST_MESSAGE_MS, () => {
      cancelStream();
      ended(STATUS.DEADLINE_EXCEEDED, `no message within ${FIRST_MESSAGE_MS / 1_000} s`);
    });
    cancelStream = client.open(PATH[name], REQUEST, { onMessage, onEnd: ended });
  };

  const onMessage = (bytes: Uint8Array): void => {
    cancelTimer();
    state = "connected";
    attempts = 0;
    deniedSinceMs = undefined;
    messages++;
    lastMessageUnixMs = clock.unixMs();
    problem = handlers.onMessage(bytes);
    handlers.onStatus(status());
  };

  const ended = (code: number, details: string): void => {
    cancelTimer();
    const isDenied = code === STATUS.PERMISSION_DENIED;
    const isStopped = code === STATUS.UNIMPLEMENTED || code === STATUS.INVALID_ARGUMENT;
    problem = toSentence(code, details);
    state = isDenied ? "denied" : isStopped ? "stopped" : "connecting";
    handlers.onDown(problem, state);
    if (!isDenied) deniedSinceMs = undefined;
    else {
      deniedSinceMs ??= clock.monotonicMs();
      if (clock.monotonicMs() - deniedSinceMs >= DENIED_MS) handlers.onWithdrawn();
    }
    if (code === STATUS.UNIMPLEMENTED) handlers.onWithdrawn();
    if (!isStopped) cancelTimer = timers.after(retryMs(attempts), open);
    handlers.onStatus(status());
  };

  open();
  return {
    status,
    close: () => {
      cancelTimer();
      cancelStream();
    },
  };
}

/** 1 s, 2 s, 4 s … 30 s; after a message 1 s again, so that a server that ends streams at once is not asked without pause. */
const retryMs = (attempts: number): number => Math.min(FIRST_RETRY_MS * 2 ** Math.max(attempts - 1, 0), MAX_RETRY_MS);

function toSentence(code: number, details: string): string {
  const said = toPlainText(details.replace(EMPTY_NOTE, "")).slice(0, MAX_DETAILS);
  switch (code) {
    case STATUS.OK:
      return "the server ended the stream";
    case STATUS.PERMISSION_DENIED:
      return `denied, is there a registration entry for this process: ${said}`;
    case STATUS.UNIMPLEMENTED:
      return `not offered by the server: ${said}`;
    case STATUS.INVALID_ARGUMENT:
      return `refused as a wrong request, is this a SPIFFE Workload API: ${said}`;
    default:
      return `${STATUS[code]?.toLowerCase() ?? `code ${code}`}: ${said}`;
  }
}
