// The recorded decisions of opa-envoy-plugin 1.19.1, end to end from request bytes to response bytes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import type { CheckReply } from "../../src/authz/check-handler.ts";
import { packageRoot } from "../../src/base/package-root.ts";
import { type DecodedHeader, decodeCheckResponse, toPlainMetadata } from "../support/check-messages.ts";
import { activePolicy, type InProcess, inProcess } from "../support/in-process.ts";
import { runsOnStack } from "../support/stack.ts";

interface Row {
  readonly name: string;
  readonly policy: string;
  readonly request: string;
  readonly want: {
    readonly response?: Record<string, unknown>;
    readonly grpc_code?: string;
    readonly message?: string;
  };
}

const vectors = join(packageRoot(), "test", "vectors");
const rows: readonly Row[] = readFileSync(join(vectors, "decision.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Row);

/** Rows where svidgate differs on purpose; each is in docs/compatibility.md. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "hdr-newline": "a header with CR or LF is refused unless compatibility: opa-envoy-plugin",
};

const GRPC_CODES: Readonly<Record<string, number>> = { Unknown: 2, DeadlineExceeded: 4, Internal: 13 };
const HTTP_NAMES: Readonly<Record<number, string>> = {
  200: "OK",
  301: "MovedPermanently",
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  429: "TooManyRequests",
};

for (const mode of ["default", "opa-envoy-plugin"] as const) {
  describe(`compatibility ${mode}`, () => {
    const handlers = new Map<string, InProcess>();
    before(async () => {
      for (const policy of ["decisions.rego", "xresult.rego"]) {
        const verdict = { allowHeaderControlCharacters: mode === "opa-envoy-plugin" };
        handlers.set(policy, inProcess(await activePolicy([join(vectors, policy)]), {}, { verdict }));
      }
    });
    for (const row of rows.filter(({ name }) => runsOnStack("decision-vectors", name))) {
      const exception = mode === "default" ? EXCEPTIONS[row.name] : undefined;
      it(`${row.policy}: ${row.name}${exception === undefined ? "" : ` (differs: ${exception})`}`, () => {
        const reply = handlers.get(row.policy)?.check(Buffer.from(row.request, "base64"));
        assert.ok(reply);
        if (exception !== undefined) assert.notDeepEqual(toComparable(reply), toWanted(row));
        else assert.deepEqual(toComparable(reply), toWanted(row));
      });
    }
  });
}

/** Sentences of failed evaluations are OPA's own business; all others are compared. */
const toMessage = (message: string): string => (/eval_\w+_error|conflict/.test(message) ? "evaluation error" : message);

function toWanted({ want }: Row): unknown {
  if (want.response === undefined) {
    return { code: GRPC_CODES[want.grpc_code ?? ""], message: toMessage(want.message ?? "") };
  }
  const { dynamicMetadata = {}, ...rest } = want.response;
  return { ...sorted(rest), dynamicMetadata };
}

function toComparable(reply: CheckReply): unknown {
  if (reply.kind === "status") return { code: reply.code, message: toMessage(reply.message) };
  const response = decodeCheckResponse(reply.bytes);
  const { decision_id: decisionId, svidgate, ...metadata } = toPlainMetadata(response);
  assert.match(String(decisionId), /^[0-9a-f-]{36}$/);
  assert.ok(svidgate);
  const { ok_response: allowed, denied_response: denied } = response;
  return {
    ...sorted({
      status: response.status,
      ...(allowed && {
        okResponse: {
          headers: allowed.headers,
          headersToRemove: allowed.headers_to_remove,
          responseHeadersToAdd: allowed.response_headers_to_add,
          queryParametersToSet: allowed.query_parameters_to_set,
          queryParametersToRemove: allowed.query_parameters_to_remove,
        },
      }),
      ...(denied && {
        deniedResponse: {
          status: { code: HTTP_NAMES[denied.status?.code ?? 0] },
          headers: denied.headers,
          body: denied.body,
        },
      }),
    }),
    dynamicMetadata: metadata,
  };
}

/** Lists are multisets across keys and ordered within one: a stable sort by key makes both sides alike. */
function sorted(value: unknown): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(value, (_, member: unknown) =>
      Array.isArray(member) && typeof member[0] === "object" && member[0] !== null
        ? [...(member as readonly (DecodedHeader & { key?: string })[])].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
        : Array.isArray(member) && member.length === 0
          ? undefined
          : member,
    ),
  ) as Record<string, unknown>;
}

const keyOf = (entry: { readonly key?: string; readonly header?: { readonly key?: string } }): string =>
  entry.header?.key ?? entry.key ?? "";
