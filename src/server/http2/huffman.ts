// Decodes Huffman-coded strings. SPEC: RFC 7541 §5.2, Appendix B.
// PERF: a state machine that takes an octet a step: the state is the place in the code's tree where the last octet ended, and one
// 32-bit word of the table says which state follows and which one or two symbols the octet has completed (the shortest code
// has five bits, so there are never three).

import { CODE_LENGTHS, EOS } from "./huffman-table.ts";

const OCTETS = 256;
/** Word of the table: next state in bits 0–7, symbols in 8–15 and 16–23, how many in 24–25, and: EOS was met. */
const MET_EOS = 1 << 26;
const ONE_SYMBOL = 1 << 24;
/** A full binary tree with 257 leaves has 256 inner nodes: a state is one octet. */
const STATES = EOS;

const TRANSITIONS = new Uint32Array(STATES * OCTETS);
/** SPEC: §5.2: a string may end within the first seven bits of EOS, which are ones, and nowhere else. */
const MAY_END = new Uint8Array(STATES);

/** Two children for each inner node of the code's tree: another inner node, or a leaf as `LEAF | symbol`. */
type Tree = Uint16Array;
const LEAF = 0x8000;

/**
 * The code is canonical: codes of one length are consecutive numbers in the order of their symbols, and the first of a length
 * follows the last of the length before. So the lengths say it all.
 */
function createTree(): Tree {
  const children = new Uint16Array(STATES * 2);
  let nodes = 1;
  let code = 0;
  let lastLength = 0;
  const symbols = Array.from(CODE_LENGTHS, (length, symbol) => ({ length, symbol })).sort(
    (a, b) => a.length - b.length || a.symbol - b.symbol,
  );
  for (const { length, symbol } of symbols) {
    code *= 2 ** (length - lastLength);
    lastLength = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const edge = node * 2 + ((code >>> bit) & 1);
      if (children[edge] === 0) children[edge] = nodes++;
      node = children[edge] as number;
    }
    children[node * 2 + (code & 1)] = LEAF | symbol;
    code++;
  }
  return children;
}

/** What `bits` bits of `value` do from a node on: the node where they end, the symbols they complete, and whether EOS is among them. */
function walk(tree: Tree, from: number, value: number, bits: number): number {
  let node = from;
  let completed = 0;
  for (let bit = bits - 1; bit >= 0; bit--) {
    const child = tree[node * 2 + ((value >>> bit) & 1)] as number;
    node = child < LEAF ? child : 0;
    // At most one in four bits, for the shortest code has five.
    if (child >= LEAF) completed = child === (LEAF | EOS) ? MET_EOS : ((child & ~LEAF) << 8) | ONE_SYMBOL;
  }
  return node | completed;
}

/** PERF: an octet is two halves, so that loading this module costs 4,096 walks and not 65,536. */
function fillTransitions(tree: Tree): void {
  const halves = new Uint32Array(STATES * 16);
  for (let at = 0; at < halves.length; at++) halves[at] = walk(tree, at >> 4, at & 15, 4);
  for (let at = 0; at < TRANSITIONS.length; at++) {
    const first = halves[at >> 4] as number;
    const second = halves[((first & 0xff) << 4) | (at & 15)] as number;
    const counts = (first & ~0xffffff) + (second & ~0xffffff);
    const symbols = first & ONE_SYMBOL ? (first & 0xff00) | ((second & 0xff00) << 8) : second & 0xff00;
    TRANSITIONS[at] = (second & 0xff) | symbols | counts;
  }
  for (let bits = 0, node = 0; bits < 8; bits++) {
    MAY_END[node] = 1;
    node = tree[node * 2 + 1] as number;
  }
}
fillTransitions(createTree());

/** Room that `decodeHuffman` needs for `length` octets: 8 bits in, at least 5 a symbol, and one that is written ahead. */
export const maxDecodedBytes = (length: number): number => ((length * 8) / 5 + 2) | 0;

/** Decodes `from[start, end)` to the beginning of `to`; gives the length, or -1 for EOS, or for padding that is not its beginning. */
export function decodeHuffman(from: Uint8Array, start: number, end: number, to: Uint8Array): number {
  let state = 0;
  let length = 0;
  let seen = 0;
  for (let at = start; at < end; at++) {
    const word = TRANSITIONS[(state << 8) | (from[at] as number)] as number;
    // What is not a symbol yet is overwritten by the next.
    to[length] = word >>> 8;
    to[length + 1] = word >>> 16;
    length += (word >>> 24) & 3;
    seen |= word;
    state = word & 0xff;
  }
  return (seen & MET_EOS) === 0 && MAY_END[state] === 1 ? length : -1;
}
