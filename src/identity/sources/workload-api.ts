// A client of the SPIFFE Workload API, as SPIRE's agent serves it: trust bundles for the verifiers, and, when asked for, our own
// X.509-SVID. Three streams on one connection, each kept open by itself; what they told stays when they end.
// SPEC: SPIFFE Workload API, Workload Endpoint. It fetches no JWT-SVIDs and verifies nothing.

import { createStreamClient } from "../../base/grpc.ts";
import type { BundleSink } from "../trust-bundles.ts";
import { type OwnSvid, parseOwnSvid } from "./own-svid.ts";
import { parseWorkloadApiAddress } from "./workload-api-address.ts";
import { type BundleHalf, createWorkloadBundles } from "./workload-bundles.ts";
import { parseX509Svids } from "./workload-messages.ts";
import {
  startWorkloadStream,
  type WorkloadStream,
  type WorkloadStreamHandlers,
  type WorkloadStreamName,
  type WorkloadStreamPorts,
  type WorkloadStreamStatus,
} from "./workload-stream.ts";

export type { WorkloadStreamStatus } from "./workload-stream.ts";

export interface WorkloadApiOptions {
  /** `unix:///path/of/the.sock` or `tcp://ip:port`; whatever else stops every stream with a problem that says so. */
  readonly socket: string;
  /** Whether to ask for our own X.509-SVID too. */
  readonly wantSvid: boolean;
}

export interface WorkloadApiPorts extends WorkloadStreamPorts {
  /** Called when a stream's state or problem has changed, for the log; never holds a secret. */
  readonly onStreamChange?: (status: WorkloadStreamStatus) => void;
}

/** What is known of the Workload API and of ourselves. */
export interface WorkloadApiStatus {
  readonly socket: string;
  /** In a fixed order: `x509_bundles`, `jwt_bundles`, then `x509_svid` if it was asked for. */
  readonly streams: readonly WorkloadStreamStatus[];
  readonly ownSvid: Pick<OwnSvid, "spiffeId" | "hint" | "notBeforeUnixMs" | "notAfterUnixMs"> | undefined;
}

export interface WorkloadApi {
  /** Resolves when each stream has had its first message or failure, or after 10 s. */
  readonly ready: Promise<void>;
  /** The newest one; its dates are not looked at. It stays when the agent goes or denies it. */
  ownSvid(): OwnSvid | undefined;
  /** Calls back with each new SVID; the function that comes back ends that. */
  onSvid(listen: (svid: OwnSvid) => void): () => void;
  status(): WorkloadApiStatus;
  /** Asks again now for each stream that is not connected. */
  reload(): void;
  /** Ends streams and timers. The bundles stay where they are, as no longer live. */
  close(): void;
}

/** SPEC: Workload Endpoint §3: with each request, so that a forged request of a confused deputy is none. */
const METADATA = { "workload.spiffe.io": "true" } as const;
/** gRPC's usual 4 MiB are few for many federated trust domains. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const READY_MS = 10_000;

/** Opens the streams at once; `sink` is told of trust domains by the time that `ready` resolves, if the agent gave any. */
export function startWorkloadApi(options: WorkloadApiOptions, sink: BundleSink, ports: WorkloadApiPorts): WorkloadApi {
  const failed: BundleSink["failed"] = (trustDomain, problem) =>
    sink.failed(trustDomain, `svidgate.identity.workload_api: ${problem}`);
  const bundles = createWorkloadBundles({ ...sink, failed });
  const listeners = new Set<(svid: OwnSvid) => void>();
  const names: readonly WorkloadStreamName[] = [
    "x509_bundles",
    "jwt_bundles",
    ...(options.wantSvid ? (["x509_svid"] as const) : []),
  ];
  const address = parseWorkloadApiAddress(options.socket);
  let ownSvid: OwnSvid | undefined;
  let isClosed = false;

  const takeSvid = (message: Uint8Array): string | undefined => {
    const svids = parseX509Svids(message);
    const [first] = svids.ok ? svids.value : [];
    if (!svids.ok || first === undefined)
      return `the message was discarded: ${svids.ok ? "no_svids" : (svids.detail ?? svids.code)}`;
    const parsed = parseOwnSvid(first);
    if (!parsed.ok) return `the own SVID was discarded: ${parsed.detail ?? parsed.code}`;
    const isSame = ownSvid !== undefined && isSameSvid(ownSvid, parsed.value);
    ownSvid = parsed.value;
    if (!isSame) for (const listen of [...listeners]) listen(parsed.value);
    return undefined;
  };

  const ofBundles = (half: BundleHalf): Pick<WorkloadStreamHandlers, "onMessage" | "onDown" | "onWithdrawn"> => ({
    onMessage: (message) => bundles.take(half, message),
    onDown: (problem) => {
      bundles.lose(half);
      failed(undefined, `${problem}: what is known stays in force, and ages`);
    },
    onWithdrawn: () => bundles.withdraw(half),
  });
  const handlers = {
    x509_bundles: ofBundles("x509"),
    jwt_bundles: ofBundles("jwt"),
    // An SVID that is denied now is short-lived, and without one our listener would have nothing to show.
    x509_svid: { onMessage: takeSvid, onDown: () => undefined, onWithdrawn: () => undefined },
  };

  const streams = new Map<WorkloadStreamName, WorkloadStream>();
  const ready = gate(names.length);
  const cancelReady = ports.timers.after(READY_MS, ready.open);
  if (address.ok) {
    const client = createStreamClient(address.value.target, { metadata: METADATA, maxMessageBytes: MAX_MESSAGE_BYTES });
    for (const name of names) {
      const tell = onChange(ports.onStreamChange);
      let isFirst = true;
      const onStatus = (status: WorkloadStreamStatus): void => {
        tell(status);
        if (isFirst) ready.pass();
        isFirst = false;
      };
      streams.set(name, startWorkloadStream(name, client, ports, { ...handlers[name], onStatus }));
    }
  } else {
    const problem = address.detail ?? address.code;
    failed(undefined, problem);
    ready.open();
  }
  void ready.opened.then(cancelReady);

  return {
    ready: ready.opened,
    ownSvid: () => ownSvid,
    onSvid: (listen) => {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
    status: () => ({
      socket: options.socket,
      streams: names.map(
        (name) => streams.get(name)?.status() ?? stoppedStatus(name, address.ok ? "" : address.detail),
      ),
      ownSvid: ownSvid === undefined ? undefined : withoutSecrets(ownSvid),
    }),
    reload: () => {
      for (const stream of streams.values()) stream.reload();
    },
    close: () => {
      if (isClosed) return;
      isClosed = true;
      for (const stream of streams.values()) stream.close();
      listeners.clear();
      bundles.lose("x509");
      bundles.lose("jwt");
      ready.open();
    },
  };
}

/** Passes on what differs in state or problem from the last. */
function onChange(tell: WorkloadApiPorts["onStreamChange"]): (status: WorkloadStreamStatus) => void {
  let last = "connecting ";
  return (status) => {
    const now = `${status.state} ${status.problem ?? ""}`;
    if (now !== last) tell?.(status);
    last = now;
  };
}

function gate(count: number): { readonly opened: Promise<void>; pass(): void; open(): void } {
  let left = count;
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    opened,
    open,
    pass: () => {
      left--;
      if (left === 0) open();
    },
  };
}

const stoppedStatus = (name: WorkloadStreamName, problem: string | undefined): WorkloadStreamStatus => ({
  name,
  state: "stopped",
  lastMessageUnixMs: undefined,
  messages: 0,
  attempts: 0,
  problem,
});

const isSameSvid = (one: OwnSvid, other: OwnSvid): boolean =>
  one.hint === other.hint &&
  Buffer.compare(Buffer.concat(one.certificateChain), Buffer.concat(other.certificateChain)) === 0;

const withoutSecrets = ({ spiffeId, hint, notBeforeUnixMs, notAfterUnixMs }: OwnSvid) => ({
  spiffeId,
  ...(hint === undefined ? {} : { hint }),
  notBeforeUnixMs,
  notAfterUnixMs,
});
