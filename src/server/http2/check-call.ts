// One Check on the line-rate listener: what the handler is told of it, and its answer, given at once or later.

import type { CheckCall, CheckHandler, CheckReply, Pep } from "../../authz/check-handler.ts";
import type { Peer } from "../peer.ts";
import { findMetadata, type GrpcRequest } from "./grpc-request.ts";
import { GRPC_STATUS, isErrorStatus } from "./grpc-status.ts";
import { type CallPorts, UnaryCall } from "./grpc-unary-call.ts";
import type { Http2Stream } from "./stream.ts";

/** What checks share. */
export interface CheckPorts extends CallPorts {
  readonly handler: CheckHandler;
  /** A check has been answered, or nobody waits for it any more: told once for each. */
  onCheckEnd(): void;
  /** Its peer may not ask: told after the refusal was sent. */
  onRefused(peer: Peer): void;
}

/** The call as the handler sees it. */
export class UnaryCheck extends UnaryCall implements CheckCall {
  readonly #ports: CheckPorts;
  #isCancelled = false;
  #cancellers: Set<() => void> | undefined;

  constructor(ports: CheckPorts, stream: Http2Stream, request: GrpcRequest, timeoutMs: number) {
    super(ports, stream, request, timeoutMs);
    this.#ports = ports;
  }

  get pep(): Pep {
    return this.stream.peer.pep;
  }

  cancelled(): boolean {
    return this.#isCancelled;
  }

  onCancelled(run: () => void): () => void {
    // An object of its own per listener, so that one function may be given twice.
    const own = (): void => run();
    if (!this.isOver) {
      this.#cancellers ??= new Set();
      this.#cancellers.add(own);
    } else if (this.#isCancelled) {
      own();
    }
    return () => {
      this.#cancellers?.delete(own);
    };
  }

  metadata(name: string): string | undefined {
    return findMetadata(this.request.list, name);
  }

  protected override run(message: Uint8Array): void {
    const ports = this.#ports;
    let answer: CheckReply | Promise<CheckReply>;
    try {
      // SECURITY: a connection outlives the certificate that opened it, so its dates count at each check.
      const refusal = this.stream.peer.refusal();
      if (refusal !== undefined) {
        this.#refusePeer(refusal);
        return;
      }
      answer = ports.handler(message, this);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (answer instanceof Promise) this.#answerLater(answer);
    else this.#answer(answer);
  }

  protected override onOver(isAbandoned: boolean): void {
    this.#ports.onCheckEnd();
    this.#isCancelled = isAbandoned;
    const cancellers = this.#cancellers;
    if (cancellers === undefined) return;
    this.#cancellers = undefined;
    if (!isAbandoned) return;
    for (const run of cancellers) {
      try {
        run();
      } catch (error) {
        this.#ports.onFault(error);
      }
    }
  }

  #answer(answer: CheckReply): void {
    if (answer.kind === "message") this.reply(answer.bytes);
    else if (isErrorStatus(answer.code)) this.replyStatus(answer.code, answer.message);
    // OK without a message would be read as an empty CheckResponse, which some clients take for an allow.
    else this.fail(new Error(`the handler answered status ${answer.code} without a message`));
  }

  #answerLater(answer: Promise<CheckReply>): void {
    answer
      .then((settled) => this.#answer(settled))
      .catch((error: unknown) => this.fail(error))
      // What failed is the connection, which has ended by then.
      .catch(this.#ports.onFault);
  }

  #refusePeer(refusal: string): void {
    const { peer } = this.stream;
    this.#ports.counts.streamRefusals.peer_refused++;
    this.replyStatus(GRPC_STATUS.UNAUTHENTICATED, refusal);
    this.#ports.onRefused(peer);
  }
}
