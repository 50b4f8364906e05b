// IP addresses and networks as Go's net package reads and prints them: no leading zeros in IPv4, RFC 5952 for IPv6, and
// IPv4-mapped IPv6 addresses (`::ffff:1.2.3.4`) taken for IPv4 when compared.

/** An address: its number, and 32 or 128 bits. */
export interface Address {
  readonly value: bigint;
  readonly bits: 32 | 128;
}

/** A network: its lowest address and the length of its prefix. */
export interface Network extends Address {
  readonly prefix: number;
}

/** Longest text of an address and a prefix; anything longer is none. */
const MAX_TEXT_CHARS = 64;

const MAPPED = 0xffffn;

function parseIpv4(text: string): bigint | undefined {
  if (!/^(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})$/.test(text)) return undefined;
  let value = 0n;
  for (const octet of text.split(".")) {
    if (Number(octet) > 255) return undefined;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

/** 16-bit groups of one side of `::`; the last may be an IPv4 address. */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [at, part] of parts.entries()) {
    if (part.includes(".") && at === parts.length - 1) {
      const ipv4 = parseIpv4(part);
      if (ipv4 === undefined) return undefined;
      groups.push(Number(ipv4 >> 16n), Number(ipv4 & 0xffffn));
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = [parseGroups(halves[0] ?? ""), parseGroups(halves[1] ?? "")];
  // An IPv4 address can only be the end of the whole.
  if (head === undefined || tail === undefined || (halves.length === 2 && (halves[0] ?? "").includes("."))) {
    return undefined;
  }
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<number>(Math.max(missing, 0)).fill(0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** An address without zone, or undefined. */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_TEXT_CHARS) return undefined;
  const ipv6 = text.includes(":");
  const value = ipv6 ? parseIpv6(text) : parseIpv4(text);
  return value === undefined ? undefined : { value, bits: ipv6 ? 128 : 32 };
}

const mask = (value: bigint, bits: number, prefix: number): bigint => {
  const host = BigInt(bits - prefix);
  return (value >> host) << host;
};

/** Go's `net.ParseCIDR`, the network only: host bits are dropped. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = "", digits = ""] = /^([^/]*)\/([0-9]+)$/.exec(text) ?? [];
  const parsed = text.length > MAX_TEXT_CHARS ? undefined : parseAddress(address);
  if (parsed === undefined || digits === "" || Number(digits) > parsed.bits) return undefined;
  const prefix = Number(digits);
  return { value: mask(parsed.value, parsed.bits, prefix), bits: parsed.bits, prefix };
}

/** IPv4-mapped addresses and networks as the IPv4 ones that they stand for. */
export function unmapped<T extends Address>(address: T): T {
  if (address.bits === 32 || address.value >> 32n !== MAPPED) return address;
  const prefix = (address as Partial<Network>).prefix;
  const shared = { ...address, value: address.value & 0xffffffffn, bits: 32 as const };
  return prefix === undefined ? shared : { ...shared, prefix: Math.max(prefix - 96, 0) };
}

/** The highest address of a network. */
export const lastAddress = (network: Network): bigint =>
  network.value | ((1n << BigInt(network.bits - network.prefix)) - 1n);

/** Go's `IPNet.Contains`. */
export function containsAddress(network: Network, address: Address): boolean {
  const [net, ip] = [unmapped(network), unmapped(address)];
  return net.bits === ip.bits && mask(ip.value, ip.bits, net.prefix) === mask(net.value, net.bits, net.prefix);
}

/** Whether all of `inner` lies in `outer`, as OPA's `net.cidr_contains` has it. */
export function containsNetwork(outer: Network, inner: Network): boolean {
  const isPlainIpv6 = (network: Network): boolean => unmapped(network).bits === 128;
  if (isPlainIpv6(outer) && isPlainIpv6(inner)) {
    return outer.prefix <= inner.prefix && mask(inner.value, 128, outer.prefix) === outer.value;
  }
  return containsAddress(outer, inner) && containsAddress(outer, { value: lastAddress(inner), bits: inner.bits });
}

function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - at * 16)) & 0xffffn).toString(16));
  const runs = groups.map((_, at) => {
    let end = at;
    while (groups[end] === "0") end++;
    return end - at;
  });
  const longest = Math.max(...runs);
  if (longest < 2) return groups.join(":");
  const start = runs.indexOf(longest);
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + longest).join(":")}`;
}

/** The address in text; IPv4-mapped ones as IPv4. */
export function formatAddress(address: Address): string {
  const { value, bits } = unmapped(address);
  if (bits === 128) return formatIpv6(value);
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
}
