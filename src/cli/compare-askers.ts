// Who is asked by `svidgate compare`: a server over gRPC, or a policy in this process.

import { askLocally, createHandler } from "../app-decide.ts";
import { loadRules } from "../app-rules.ts";
import { systemClock } from "../base/clock.ts";
import { Client, credentials, Metadata, type ServiceError, status } from "../base/grpc.ts";
import { systemTimers } from "../base/timers.ts";
import { createUuidV7 } from "../base/uuid-v7.ts";
import type { Settings } from "../config/settings.ts";
import { CHECK_PATH } from "../server/listener.ts";
import { silentLog } from "../telemetry/log.ts";
import { type Answer, readAnswer, toErrorAnswer } from "./compare-answer.ts";

/** Answers requests. */
export interface Asker {
  /** Rejects with `AskerGone` when there is nobody to answer. */
  ask(request: Uint8Array): Promise<Answer>;
  close(): void;
}

/** An asker, or what keeps it from answering. */
export type OpenedAsker =
  | { readonly ok: true; readonly asker: Asker }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A server that cannot be reached, or is none of ext_authz. */
export class AskerGone extends Error {}

const DEADLINE_MS = 10_000;
const asIs = (bytes: Buffer): Buffer => bytes;

/** Asks the server at `host:port` or `unix:/path`, without TLS. */
export function createServerAsker(address: string): Asker {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + DEADLINE_MS };
        const done = (error: ServiceError | null, bytes?: Buffer): void => {
          if (error !== null && (error.code === status.UNAVAILABLE || error.code === status.UNIMPLEMENTED)) {
            reject(
              new AskerGone(
                `${address}: cannot be asked: ${error.details}: check the address; it must serve ext_authz without TLS`,
              ),
            );
            return;
          }
          const answer = error === null ? readAnswer(bytes ?? Buffer.alloc(0)) : toErrorAnswer(error.code);
          if (answer === undefined) reject(new AskerGone(`${address}: its answer is no CheckResponse`));
          else resolve(answer);
        };
        client.makeUnaryRequest(CHECK_PATH, asIs, asIs, Buffer.from(request), new Metadata(), options, done);
      }),
    close: () => client.close(),
  };
}

/** Decides in this process, by the policy of these settings. */
export async function createLocalAsker(settings: Settings): Promise<OpenedAsker> {
  const clock = systemClock;
  const loaded = await loadRules(settings, { clock, timers: systemTimers, log: silentLog });
  if (!loaded.ok) return loaded;
  let fault: unknown;
  const handler = createHandler(loaded.rules, {
    clock,
    resolve: loaded.rules.identity.resolve,
    newDecisionId: createUuidV7(clock),
    record: () => undefined,
    onFault: (error) => {
      fault = error;
    },
  });
  const ask = async (request: Uint8Array): Promise<Answer> => {
    const reply = await askLocally(handler, request, clock);
    if (fault !== undefined) throw fault;
    if (reply.kind === "status") return toErrorAnswer(reply.code);
    const answer = readAnswer(reply.bytes);
    if (answer === undefined) throw new Error("our own answer cannot be read");
    return answer;
  };
  return { ok: true, asker: { ask, close: () => loaded.rules.identity.close() } };
}
