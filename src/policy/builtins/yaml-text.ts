// How a text may be written in YAML. SPEC: libyaml's rules as in go.yaml.in/yaml v3.0.5 (emitterc.go, yaml_emitter_analyze_scalar).

/** What decides on the style of a text. */
export interface TextFacts {
  readonly hasBreaks: boolean;
  readonly plainAllowed: boolean;
  readonly singleAllowed: boolean;
  readonly literalAllowed: boolean;
}

/** Whether the character ends a line. */
export const isBreak = (character: string): boolean => /^[\r\n\u0085\u2028\u2029]$/.test(character);

/** SPEC: beyond the basic plane nothing counts as printable, and neither do U+FEFF, tab and carriage return. */
const UNPRINTABLE = /[^\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/u;

/** Looks at a text; the empty one may be plain (what else forbids that, the caller knows). */
export function analyzeText(text: string): TextFacts {
  if (text === "") return { hasBreaks: false, plainAllowed: true, singleAllowed: true, literalAllowed: false };
  const hasBreaks = /[\r\n\u0085\u2028\u2029]/.test(text);
  const isSpecial = UNPRINTABLE.test(text.replaceAll("\t", ""));
  const spaceBeforeBreak = / [\r\n\u0085\u2028\u2029]/.test(text);
  const spaceBehindBreak = /[\r\n\u0085\u2028\u2029] /.test(text);
  const hasOuterSpace = /^[ \r\n\u0085\u2028\u2029]|[ \r\n\u0085\u2028\u2029]$/.test(text);
  const quotable = !spaceBeforeBreak && !isSpecial && !text.includes("\t");
  return {
    hasBreaks,
    plainAllowed: quotable && !hasBreaks && !hasOuterSpace && !hasIndicator(text),
    singleAllowed: quotable && !spaceBehindBreak,
    literalAllowed: !spaceBeforeBreak && !isSpecial && !text.endsWith(" "),
  };
}

/** Whether the text holds something that means something in block style. */
function hasIndicator(text: string): boolean {
  if (/^(?:---|\.\.\.)/.test(text) || /^[#,[\]{}&*!|>'"%@`]/.test(text)) return true;
  return /^[-?:](?:[ \t]|$)/.test(text) || /:(?:[ \t]|$)/.test(text) || /[ \t\r\n\u0085\u2028\u2029]#/.test(text);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\0": "0",
  "\u0007": "a",
  "\b": "b",
  "\t": "t",
  "\n": "n",
  "\v": "v",
  "\f": "f",
  "\r": "r",
  "\u001b": "e",
  '"': '"',
  "\\": "\\",
  "\u0085": "N",
  "\u00a0": "_",
  "\u2028": "L",
  "\u2029": "P",
};

/** The text between double quotes. SPEC: behind a byte order mark at the start, go-yaml escapes every character. */
export function escapeYaml(text: string): string {
  const escapesAll = text.startsWith("\ufeff");
  let escaped = "";
  for (const character of text) {
    const isPlain = !UNPRINTABLE.test(character) && !isBreak(character) && character !== '"' && character !== "\\";
    escaped += isPlain && !escapesAll ? character : escapeCharacter(character);
  }
  return escaped;
}

function escapeCharacter(character: string): string {
  const short = ESCAPES[character];
  if (short !== undefined) return `\\${short}`;
  const code = character.codePointAt(0) ?? 0xfffd;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
