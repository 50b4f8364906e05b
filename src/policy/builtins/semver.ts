// `semver.compare` and `semver.is_valid` by Semantic Versioning 2.0.0, with OPA's leave to begin with `v`.

import { compareStrings, RegoNumber } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { isInt64, stringOperand } from "./operands.ts";

/** A version; build metadata plays no part in the order. */
interface Version {
  readonly numbers: readonly bigint[];
  readonly preRelease: readonly string[];
}

const VERSION =
  /^v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

/** Longest version that is read; numbers have to fit 64 bits anyway. */
const MAX_VERSION_CHARS = 4_096;

const isNumeric = (identifier: string): boolean => /^[0-9]+$/.test(identifier);

function parseVersion(text: string): Version | undefined {
  const match = text.length > MAX_VERSION_CHARS ? null : VERSION.exec(text);
  if (match === null) return undefined;
  const numbers = match.slice(1, 4).map(BigInt);
  const preRelease = match[4]?.split(".") ?? [];
  const padded = preRelease.some(
    (identifier) => isNumeric(identifier) && identifier.length > 1 && identifier[0] === "0",
  );
  return padded || !numbers.every(isInt64) ? undefined : { numbers, preRelease };
}

/** Go's `Atoi` stays at the largest integer for longer digits. */
const INT64_MAX = 2n ** 63n - 1n;
const toNumber = (identifier: string): bigint => {
  const value = BigInt(identifier);
  return value > INT64_MAX ? INT64_MAX : value;
};

const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

function compareIdentifiers(a: string, b: string): number {
  const [numericA, numericB] = [isNumeric(a), isNumeric(b)];
  if (numericA !== numericB) return numericA ? -1 : 1;
  return numericA ? order(toNumber(a), toNumber(b)) : Math.sign(compareStrings(a, b));
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
  for (const [at, identifier] of a.entries()) {
    const other = b[at];
    if (other === undefined) return 1;
    const result = compareIdentifiers(identifier, other);
    if (result !== 0) return result;
  }
  return Math.sign(a.length - b.length);
}

function compareVersions(a: Version, b: Version): number {
  for (const [at, value] of a.numbers.entries()) {
    const result = order(value, b.numbers[at] ?? 0n);
    if (result !== 0) return result;
  }
  return comparePreReleases(a.preRelease, b.preRelease);
}

function versionOf(text: string): Version {
  const version = parseVersion(text);
  if (version === undefined) throw new BuiltinError("not a valid SemVer");
  return version;
}

/** `semver.compare(a, b)` gives -1, 0 or 1; `semver.is_valid` is false for what is no string. */
export const semverBuiltins: BuiltinFamily = {
  "semver.compare": (args) =>
    RegoNumber.of(compareVersions(versionOf(stringOperand(args, 0)), versionOf(stringOperand(args, 1)))),
  "semver.is_valid": ([version]) => typeof version === "string" && parseVersion(version) !== undefined,
};
