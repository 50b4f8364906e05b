// Compile errors as compilers print them: place, code, message, the source line, a caret.
// For terminals and logs; programs read the errors themselves.
import { toPlainText } from "../../base/plain-text.ts";
import type { CompileError, SourceFile } from "./wire.ts";

const MAX_ERRORS = 100;
/** A longer source line is shown from near the error only. */
const MAX_LINE_CHARACTERS = 160;

/** `file:row:col: code: message`, then the source line and a caret where the error has a place; no final line feed. */
export function formatCompileErrors(errors: readonly CompileError[], files: readonly SourceFile[]): string {
  const shown = errors.slice(0, MAX_ERRORS).flatMap((error) => formatOne(error, files));
  if (errors.length > MAX_ERRORS) shown.push(`… and ${errors.length - MAX_ERRORS} more errors`);
  return shown.join("\n");
}

function formatOne(error: CompileError, files: readonly SourceFile[]): string[] {
  const place = [error.file, error.row, error.col].filter((part) => part !== undefined).join(":");
  const [message = "", ...more] = error.message.split("\n");
  const lines = [printable(`${place === "" ? "" : `${place}: `}${error.code}: ${message}`)];
  for (const line of more) lines.push(`  ${printable(line)}`);
  const source = sourceLine(error, files);
  if (source !== undefined && error.row !== undefined) lines.push(...excerpt(source, error.row, error.col));
  for (const detail of error.details ?? []) lines.push(`  ${printable(detail)}`);
  return lines;
}

function sourceLine(error: CompileError, files: readonly SourceFile[]): string | undefined {
  if (error.row === undefined) return undefined;
  return files.find((file) => file.path === error.file)?.text.split("\n")[error.row - 1];
}

function excerpt(source: string, row: number, col: number | undefined): string[] {
  const before = charactersBefore(source, col ?? 1);
  const cut = Math.max(0, before.length - MAX_LINE_CHARACTERS / 2);
  const line = printable(source.slice(cut, cut + MAX_LINE_CHARACTERS).replace(/\r$/, ""));
  const number = String(row);
  const lines = [`  ${number} | ${line}`];
  // Tabs stay tabs, so that the caret stands right whatever a tab is worth.
  if (col !== undefined) {
    lines.push(`  ${" ".repeat(number.length)} | ${printable(before.slice(cut)).replace(/[^\t]/gu, " ")}^`);
  }
  return lines;
}

/** OPA counts columns in code points, from 1. */
function charactersBefore(source: string, col: number): string {
  let end = 0;
  for (let left = col - 1; left > 0 && end < source.length; left--)
    end += (source.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
  return source.slice(0, end);
}

/** SECURITY: control characters of a source would let it write to the terminal of whoever checks it. */
const printable = (text: string): string => toPlainText(text, "\t");
