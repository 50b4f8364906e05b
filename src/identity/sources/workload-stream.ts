// One stream of the SPIFFE Workload API, kept open: what is asked again, when, and what is known of it. What the messages mean
// is told by whoever starts it.
// SPEC: SPIFFE Workload Endpoint §6 (which codes are worth another try), Workload API §4.2 (reopen what ended). Unlike there, what a
// server does not offer is asked for now and then: it may have been another server on the socket, or an older one.

import type { Clock } from "../../base/clock.ts";
import { status as STATUS, type StreamClient } from "../../base/grpc.ts";
import { toPlainText } from "../../base/plain-text.ts";
import type { Timers } from "../../base/timers.ts";

/**
 * `connected`: a message has come and the stream is open. `denied`: there is no registration entry for us (yet), asked again.
 * `stopped`: the server does not offer it, or says that we ask wrongly; asked again in case that it was another server.
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
  /** The stream is not open any more, or `onMessage` has thrown; what it told stays as it was, but may not be the newest. */
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
  /** Opens it now when it is not connected. */
  reload(): void;
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
 * again, and another server may stand on its socket, so this is believed when it has been said for so long on end.
 */
const REFUSED_MS = 60_000;
/** How often a stream is asked for that was `stopped` for so long. */
const STOPPED_RETRY_MS = 300_000;
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
  let stoppedSinceMs: number | undefined;
  let isClosed = false;
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
    stoppedSinceMs = undefined;
    messages++;
    lastMessageUnixMs = clock.unixMs();
    try {
      problem = handlers.onMessage(bytes);
    } catch (error) {
      // Thrown into grpc-js, it would end the process. The next message is as good as any.
      problem = `a fault of svidgate's own: ${toPlainText(String(error)).slice(0, MAX_DETAILS)}`;
      handlers.onDown(problem, state);
    }
    handlers.onStatus(status());
  };

  const ended = (code: number, details: string): void => {
    cancelTimer();
    const isStopped = code === STATUS.UNIMPLEMENTED || code === STATUS.INVALID_ARGUMENT;
    const isDenied = code === STATUS.PERMISSION_DENIED;
    const nowMs = clock.monotonicMs();
    problem = toSentence(code, details);
    state = isDenied ? "denied" : isStopped ? "stopped" : "connecting";
    handlers.onDown(problem, state);
    deniedSinceMs = isDenied || code === STATUS.UNIMPLEMENTED ? (deniedSinceMs ?? nowMs) : undefined;
    stoppedSinceMs = isStopped ? (stoppedSinceMs ?? nowMs) : undefined;
    if (hasLasted(deniedSinceMs, nowMs)) handlers.onWithdrawn();
    cancelTimer = timers.after(hasLasted(stoppedSinceMs, nowMs) ? STOPPED_RETRY_MS : retryMs(attempts), open);
    handlers.onStatus(status());
  };

  open();
  return {
    status,
    reload: () => {
      if (isClosed || state === "connected") return;
      cancelTimer();
      cancelStream();
      open();
    },
    close: () => {
      isClosed = true;
      cancelTimer();
      cancelStream();
    },
  };
}

/** 1 s, 2 s, 4 s … 30 s; after a message 1 s again, so that a server that ends streams at once is not asked without pause. */
const retryMs = (attempts: number): number => Math.min(FIRST_RETRY_MS * 2 ** Math.max(attempts - 1, 0), MAX_RETRY_MS);

const hasLasted = (sinceMs: number | undefined, nowMs: number): boolean =>
  sinceMs !== undefined && nowMs - sinceMs >= REFUSED_MS;

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
