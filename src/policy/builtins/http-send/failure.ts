// What goes wrong with a request of `http.send`, and how OPA words it.
// SPEC: with `raise_error: false` OPA tells two codes apart: failures of the network, which are Go's `*url.Error`, and all others.

/** How a request ended: the label values of `svidgate_http_send_requests_total`, listed in the metrics catalogue. */
export type HttpSendOutcome =
  | "answered"
  | "cached"
  | "revalidated"
  | "invalid"
  | "refused"
  | "timeout"
  | "unreachable"
  | "too_large"
  | "abandoned";

/** A request without an answer. */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";
  readonly outcome: HttpSendOutcome;
  /** Whether Go's client would say so, and not OPA. */
  readonly isNetwork: boolean;
  /** What OPA says under `raise_error: false`; the message is what it raises. */
  readonly told: string;

  constructor(
    outcome: HttpSendOutcome,
    message: string,
    { isNetwork = false, told = message }: { readonly isNetwork?: boolean; readonly told?: string } = {},
  ) {
    super(message);
    this.outcome = outcome;
    this.isNetwork = isNetwork;
    this.told = told;
  }
}

/** A request that cannot be made as it is written. */
export const invalid = (message: string): HttpFailure =>
  new HttpFailure("invalid", message, { told: `eval_builtin_error: http.send: ${message}` });

/** A request object with the wrong members. */
export const invalidOperand = (message: string): HttpFailure =>
  new HttpFailure("invalid", `operand 1 ${message}`, { told: `eval_type_error: http.send: operand 1 ${message}` });

/** A request that configuration does not allow. */
export const refused = (message: string): HttpFailure =>
  new HttpFailure("refused", message, { told: `eval_builtin_error: http.send: ${message}` });

/** A failure of Go's client: `Get "http://…": why`. */
export function unreachable(method: string, url: string, why: string): HttpFailure {
  const sentence = (shown: string): string => `${operation(method)} ${JSON.stringify(shown)}: ${why}`;
  return new HttpFailure("unreachable", sentence(shownUrl(url)), { isNetwork: true, told: sentence(url) });
}

const MAX_SHOWN_URL = 1024;

/**
 * A URL without its query and what goes before an `@`. SECURITY: what is raised ends in logs and in what callers are told;
 * queries carry tokens. Under `raise_error: false` the policy itself is told its whole URL.
 */
export function shownUrl(url: string): string {
  const [, start = "", query = ""] = /^([^?#]*)(.*)$/s.exec(url) ?? [];
  const rest = withoutUserInfo(start);
  // A password with a `/` or a `?` looks like a port: nothing of such a URL is shown.
  const [, authority = ""] = /^[A-Za-z][A-Za-z0-9+\-.]*:\/*([^/]*)/.exec(rest) ?? [];
  const isDoubtful = /:\D/.test(authority.replace(/\[[^\]]*\]/, ""));
  const shown = isDoubtful ? "***" : query === "" ? rest : `${rest}${query.slice(0, 1)}***`;
  return shown.length > MAX_SHOWN_URL ? `${shown.slice(0, MAX_SHOWN_URL)}…` : shown;
}

/** A URL without credentials; more than those is masked where there is doubt. */
export const withoutUserInfo = (url: string): string =>
  url.replace(/^([A-Za-z][A-Za-z0-9+\-.]*:)?(\/*).*@/s, "$1$2***@");

/** As Go names a method in an error: `Get`. */
export const operation = (method: string): string => method.slice(0, 1) + method.slice(1).toLowerCase();
