// The order in which go.yaml.in/yaml prints the keys of a map (sorter.go): by characters, but letters behind other characters, and
// runs of digits by their number. SPEC: `a2` comes before `a10`.

const LETTER = /^\p{L}$/u;
const DIGIT = /^\p{Nd}$/u;

/** Negative, zero or positive. */
export function compareYamlKeys(a: string, b: string): number {
  if (a === b) return 0;
  return isLess([...a], [...b]) ? -1 : 1;
}

const isDigit = (rune: string | undefined): boolean => rune !== undefined && DIGIT.test(rune);
const codeOf = (rune: string): number => rune.codePointAt(0) ?? 0;

function isLess(a: readonly string[], b: readonly string[]): boolean {
  const shared = Math.min(a.length, b.length);
  let at = 0;
  while (at < shared && a[at] === b[at]) at++;
  if (at === shared) return a.length < b.length;
  const [x, y] = [a[at] as string, b[at] as string];
  const [isLetterX, isLetterY] = [LETTER.test(x), LETTER.test(y)];
  if (isLetterX && isLetterY) return codeOf(x) < codeOf(y);
  if (isLetterX || isLetterY) return isDigit(a[at - 1]) ? isLetterX : isLetterY;
  const start = x === "0" || y === "0" ? leadingOne(a, at) : 0n;
  const [numberX, endX] = readNumber(a, at, start);
  const [numberY, endY] = readNumber(b, at, start);
  if (numberX !== numberY) return numberX < numberY;
  return endX === endY ? codeOf(x) < codeOf(y) : endX < endY;
}

/** 1 when a digit other than zero stands in the run before `at`: then zeros count. */
function leadingOne(runes: readonly string[], at: number): bigint {
  for (let before = at - 1; before >= 0 && isDigit(runes[before]); before--) if (runes[before] !== "0") return 1n;
  return 0n;
}

/** The digits from `at` on, in 64 bits that wrap around, and where they end. */
function readNumber(runes: readonly string[], at: number, start: bigint): readonly [bigint, number] {
  let value = start;
  let end = at;
  for (; isDigit(runes[end]); end++) {
    value = BigInt.asIntN(64, value * 10n + BigInt(codeOf(runes[end] as string) - 0x30));
  }
  return [value, end];
}
