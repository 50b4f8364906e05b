// Outcomes as values: a parser or verifier answers with what it read or with one code of a closed set.
// Faults (bugs, broken disks) are Errors and never travel this way.

/** Either `value`, or the `code` that says why there is none; `detail` is for people and never decides anything. */
export type Result<T, Code extends string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: Code; readonly detail?: string };

/** A success. */
export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });

/** A failure with its code; captures no stack, so it costs nothing on the hot path. */
export const fail = <Code extends string>(
  code: Code,
  detail?: string,
): { readonly ok: false; readonly code: Code; readonly detail?: string } =>
  detail === undefined ? { ok: false, code } : { ok: false, code, detail };
