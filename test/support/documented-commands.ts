// The commands in the documents, read as a reader would: fenced blocks without a language or with a shell's, one command a line,
// lines that end in `\` continued. And the files that a document asks its reader to write.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";
import { COMMANDS } from "../../src/cli/index.ts";

/** One command and where it stands. */
export interface DocumentedCommand {
  /** Path from the repository's root, or `svidgate NAME --help`. */
  readonly document: string;
  /** As written, without prompt and comment. */
  readonly command: string;
  /** The exit code that its comment names (`# exit 1`). */
  readonly exit: number | undefined;
}

/** A file that the text before a block names: “`policy.rego`:”. */
export interface DocumentedFile {
  readonly document: string;
  readonly name: string;
  readonly content: string;
}

const SHELLS = new Set(["", "sh", "bash", "shell", "console"]);
const PROGRAMS =
  /^(?:[A-Z_]+=\S+ )*(?:svidgate|npm|npx|node|envoy|opa|docker|kubectl|curl|kill|git|cd|promtool) [\w./'"-]/;

/** README, docs, and the pages beside policies and Envoy configurations. */
export function documents(): readonly string[] {
  const root = packageRoot();
  const below = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}/${name}`);
  return ["README.md", "CONTRIBUTING.md", ...["docs", "policies", "envoy"].flatMap(below)].sort();
}

interface Block {
  readonly language: string;
  readonly text: string;
  /** The paragraph before it. */
  readonly before: string;
}

function blocksOf(document: string): readonly Block[] {
  const page = readFileSync(join(packageRoot(), document), "utf8");
  return [...page.matchAll(/^```(\w*)[^\n]*\n([\s\S]*?)^```/gm)].map(({ 1: language = "", 2: text = "", index }) => ({
    language,
    text,
    before:
      page
        .slice(0, index)
        .trimEnd()
        .split(/\n\n|\n```/)
        .at(-1) ?? "",
  }));
}

/** Every command of every document, in order. */
export function documentedCommands(): readonly DocumentedCommand[] {
  const inDocuments = documents().flatMap((document) =>
    blocksOf(document)
      .filter(({ language }) => SHELLS.has(language))
      .flatMap(({ text }) => text.replace(/\\\n\s*/g, "").split("\n"))
      .flatMap((line) => toCommand(document, line)),
  );
  const inHelp = COMMANDS.flatMap(({ name, examples }) =>
    examples.flatMap((example) => toCommand(`svidgate ${name} --help`, example)),
  );
  return [...inDocuments, ...inHelp];
}

function toCommand(document: string, line: string): readonly DocumentedCommand[] {
  const [, text = "", comment = ""] = /^(?:\$ )?(.*?)(?:\s+#\s(.*))?$/.exec(line.trim()) ?? [];
  const exit = /\bexit(?: code)? (\d+)/.exec(comment)?.[1];
  return PROGRAMS.test(text) ? [{ document, command: text, exit: exit === undefined ? undefined : Number(exit) }] : [];
}

/** Every file that a document shows under its name. */
export function documentedFiles(): readonly DocumentedFile[] {
  return documents().flatMap((document) =>
    blocksOf(document).flatMap(({ language, text, before }) => {
      const [, name] = /`([\w.-]+\.(?:rego|json|yaml|yml))`[^`]*:$/.exec(before) ?? [];
      return name === undefined || SHELLS.has(language) ? [] : [{ document, name, content: text }];
    }),
  );
}

/** The first block of a language in a document. */
export const firstBlock = (document: string, language: string): string =>
  blocksOf(document).find((block) => block.language === language)?.text ?? "";
