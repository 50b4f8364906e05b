// `net.cidr_contains_matches`, `cidr_expand`, `cidr_is_valid` and `cidr_merge` (v1/topdown/cidr.go).
// What looks up names (`net.lookup_ip_addr`) is not here.

import { RegoNumber, RegoObject, RegoSet, type Value } from "../value.ts";
import { type BuiltinContext, BuiltinError, type BuiltinFamily, MAX_RESULT_ELEMENTS } from "./builtin.ts";
import {
  type Address,
  containsAddress,
  containsNetwork,
  formatAddress,
  lastAddress,
  type Network,
  parseAddress,
  parseNetwork,
  unmapped,
} from "./ip-network.ts";
import { isArray, stringOperand } from "./operands.ts";

function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) throw new BuiltinError(`invalid CIDR address: \`${text.slice(0, 64)}\``);
  return network;
}

function expand(text: string, spend: BuiltinContext["spend"]): Value {
  const network = networkOf(text);
  const count = 1n << BigInt(network.bits - network.prefix);
  // SECURITY: OPA would go on until it is cancelled: `0.0.0.0/0` has 2^32 members, `::/0` 2^128.
  if (count > BigInt(MAX_RESULT_ELEMENTS)) throw new BuiltinError("net.cidr_expand: more than 65536 addresses");
  spend(Number(count) * (network.bits === 32 ? 400 : 2_000));
  return RegoSet.of(
    Array.from({ length: Number(count) }, (_, at) =>
      formatAddress({ value: network.value + BigInt(at), bits: network.bits }),
    ),
  );
}

/** What one operand of `cidr_contains_matches` offers: a network or address text, and how the result names it. */
interface Candidate {
  readonly text: Value;
  readonly index: Value;
}

function candidates(args: readonly Value[], operand: 0 | 1): readonly Candidate[] {
  const value = args[operand] ?? null;
  // A string, or an array whose first element is one and whose rest is the policy's own data.
  const candidate = (element: Value, index: Value): Candidate => {
    const text = isArray(element) ? element[0] : element;
    if (text !== undefined && (isArray(element) || typeof text === "string")) return { text, index };
    throw new BuiltinError(`operand ${operand + 1}: element must be string or non-empty array`);
  };
  if (typeof value === "string") return [{ text: value, index: value }];
  if (isArray(value)) return value.map((element, at) => candidate(element, RegoNumber.of(at)));
  if (value instanceof RegoSet) return value.values.map((element) => candidate(element, element));
  if (value instanceof RegoObject) return value.entries.map(([key, element]) => candidate(element, key));
  return [];
}

/** Whether a network holds what `text` names, an address or a network; the text is read once for all networks. */
function containmentOf(value: Value): (outer: Network) => boolean {
  const text = stringOperand([value], 0);
  const address = parseAddress(text);
  if (address !== undefined) return (outer) => containsAddress(outer, address);
  const network = networkOf(text);
  return (outer) => containsNetwork(outer, network);
}

/** Most pairs that are compared; both operands may come from a request, and their product is the work. */
const MAX_PAIRS = 250_000;

function containsMatches(args: readonly Value[]): Value {
  const outers = candidates(args, 0);
  // With nothing to compare, OPA does not even read the other side, and with nothing to compare to no network.
  const inners = outers.length === 0 ? [] : candidates(args, 1);
  if (outers.length * inners.length > MAX_PAIRS) throw new BuiltinError("net.cidr_contains_matches: too many pairs");
  const matches: Value[] = [];
  if (outers.length === 0 || inners.length === 0) return RegoSet.of(matches);
  const targets = inners.map(({ text, index }) => ({ isIn: containmentOf(text), index }));
  for (const outer of outers) {
    const network = networkOf(stringOperand([outer.text], 0));
    for (const { isIn, index } of targets) if (isIn(network)) matches.push([outer.index, index]);
    if (matches.length > MAX_RESULT_ELEMENTS) throw new BuiltinError("net.cidr_contains_matches: too many matches");
  }
  return RegoSet.of(matches);
}

/** First and last address as 128-bit numbers (IPv4 as IPv4-mapped), and the text while the range is one input still. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly text: string | undefined;
}

const MAPPED_BASE = 0xffffn << 32n;

/** The mask that Go gives an IPv4 address without one: its class of old. */
const classPrefix = (value: bigint): number => (value < 0x80000000n ? 8 : value < 0xc0000000n ? 16 : 24);

function rangeOf(element: Value): Range {
  if (typeof element !== "string") throw new BuiltinError("element must be string");
  const address = parseAddress(element);
  if (address === undefined) return networkRange(networkOf(element), undefined);
  const ipv4 = unmapped(address);
  if (ipv4.bits !== 32) throw new BuiltinError("IPv6 invalid: needs prefix length");
  const prefix = classPrefix(ipv4.value);
  const host = BigInt(32 - prefix);
  return networkRange({ value: (ipv4.value >> host) << host, bits: 32, prefix }, ipv4);
}

function networkRange(parsed: Network, shown: Address | undefined): Range {
  const network = unmapped(parsed);
  const base = network.bits === 32 ? MAPPED_BASE : 0n;
  return {
    first: network.value | base,
    last: lastAddress(network) | base,
    text: `${formatAddress(shown ?? network)}/${network.prefix}`,
  };
}

const compareBigInts = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** Nothing lies before the first address of a family. */
const previous = (value: bigint): bigint => (value === 0n || value === MAPPED_BASE ? value : value - 1n);

/** Joins neighbours and overlaps, from the last range to the first. */
function joinRanges(ranges: readonly Range[]): readonly Range[] {
  const sorted = [...ranges].sort((a, b) => compareBigInts(a.last, b.last) || compareBigInts(a.first, b.first));
  const joined: Range[] = [];
  let current = sorted.pop();
  while (current !== undefined) {
    const below = sorted.pop();
    if (below === undefined || previous(current.first) > below.last) {
      joined.push(current);
      current = below;
    } else {
      const first: bigint = compareBigInts(below.first, current.first) < 0 ? below.first : current.first;
      current = { first, last: current.last, text: undefined };
    }
  }
  return joined;
}

/** The fewest networks that cover a range exactly. */
function toNetworks({ first, last, text }: Range): readonly string[] {
  if (text !== undefined) return [text];
  const bits = first >> 32n === 0xffffn ? 32 : 128;
  const texts: string[] = [];
  for (let at = first; at <= last; ) {
    let size = 0;
    while (size < bits && (at & ((1n << BigInt(size + 1)) - 1n)) === 0n && at + (1n << BigInt(size + 1)) - 1n <= last)
      size++;
    texts.push(`${formatAddress({ value: at, bits: 128 })}/${bits - size}`);
    at += 1n << BigInt(size);
  }
  return texts;
}

function merge(operand: Value | undefined): Value {
  const elements = operand instanceof RegoSet ? operand.values : operand;
  if (!isArray(elements)) throw new BuiltinError("operand must be an array");
  return RegoSet.of(joinRanges(elements.map(rangeOf)).flatMap(toNetworks));
}

/** The `net.cidr_*` builtins that OPA's runtime does not carry. */
export const netBuiltins: BuiltinFamily = {
  "net.cidr_contains_matches": containsMatches,
  "net.cidr_expand": (args, { spend }) => expand(stringOperand(args, 0), spend),
  "net.cidr_is_valid": ([text]) => typeof text === "string" && parseNetwork(text) !== undefined,
  "net.cidr_merge": ([networks]) => merge(networks),
};
