// Decodes Huffman-coded strings. SPEC: RFC 7541 §5.2, Appendix B.
// PERF: a state machine that takes an octet a step: the state is the place in the code's tree where the last octet ended, and one
// 32-bit word of the table says which state follows and which one or two symbols the octet has completed (the shortest code
// has five bits, so there are never three).

import { CODE_LENGTHS, EOS } from "./huffman-table.ts";

const OCTETS = 256;
/** Word of the table: next state in bits 0–7, symbols in 8–15 and 16–23, how many in 24–25, and: EOS was met. */
const MET_EOS = 1 << 26;
/** A full binary tree with 257 leaves has 256 inner nodes: a state is one octet. */
const STATES = EOS;

const TRANSITIONS = new Uint32Array(STATES * OCTETS);
/** SPEC: §5.2: a string may end within the first seven bits of EOS, which are ones, and nowhere else. */
const MAY_END = new Uint8Array(STATES);

interface Tree {
  /** Two children for each inner node: another inner node, or a leaf as `LEAF | symbol`. */
  readonly children: Uint16Array;
}
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
  return { children };
}

function fillTransitions({ children }: Tree): void {
  for (let state = 0; state < STATES; state++) {
    for (let octet = 0; octet < OCTETS; octet++) {
      let node = state;
      let symbols = 0;
      let count = 0;
      let eos = 0;
      for (let bit = 7; bit >= 0; bit--) {
        const child = children[node * 2 + ((octet >>> bit) & 1)] as number;
        node = child;
        if (child < LEAF) continue;
        node = 0;
        const symbol = child & ~LEAF;
        if (symbol === EOS) eos = MET_EOS;
        else symbols |= symbol << (8 + 8 * count++);
      }
      TRANSITIONS[state * OCTETS + octet] = node | symbols | (count << 24) | eos;
    }
  }
  for (let bits = 0, node = 0; bits < 8; bits++) {
    MAY_END[node] = 1;
    node = children[node * 2 + 1] as number;
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
