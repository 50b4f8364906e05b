// Guesses what a text is that somebody wants explained. A wrong guess costs nothing: whatever is guessed is then read strictly.

import type { CredentialKind } from "./checks.ts";

/** Every kind, for whoever names one. */
export const CREDENTIAL_KINDS: readonly CredentialKind[] = ["certificate", "token", "xfcc", "spiffe-id"];

/** Undefined when it looks like nothing that is known. */
export function guessKind(text: string): CredentialKind | undefined {
  if (/^spiffe:/i.test(text)) return "spiffe-id";
  // On a line of its own: a header holds certificates too, on one line, and OpenSSL writes `subject=` above its PEM.
  if (/^-----BEGIN [A-Z ]+-----\r?$/m.test(text)) return "certificate";
  if (/^ *\[/.test(text) || /^(by|hash|cert|chain|subject|uri|dns)=/i.test(text)) return "xfcc";
  if (/-----BEGIN(?: |%20)/.test(text)) return "certificate";
  if (/^bearer /i.test(text) || /^[\w=+/-]*\.[\w=+/-]*\./.test(text) || /^\s*\{/.test(text)) return "token";
  return undefined;
}

/** The credential without what stands around it in a file: the line's end, and the scheme of an authorization header. */
export function toBareCredential(text: string, kind: CredentialKind): string {
  if (kind === "certificate") return text;
  const line = text.replace(/\r?\n$/, "");
  return kind === "token" ? line.replace(/^bearer +/i, "") : line;
}
