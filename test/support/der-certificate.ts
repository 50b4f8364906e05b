// Certificates written element by element, with any mistake that a test wants. Nobody signed them.

/** One DER element. */
export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content);
  if (bytes.length < 0x80) return Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
  const length = bytes.length < 256 ? [0x81, bytes.length] : [0x82, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}

/** A SEQUENCE. */
export const sequence = (...content: readonly Uint8Array[]): Buffer => element(0x30, ...content);
/** An object identifier; `hex` is its content. */
export const oid = (hex: string): Buffer => element(0x06, Buffer.from(hex, "hex"));
const TRUE = Buffer.from([0x01, 0x01, 0xff]);

/** An extension; `oidHex` is the content of its identifier. */
export const extension = (oidHex: string, critical: boolean, value: Uint8Array): Buffer =>
  sequence(oid(oidHex), ...(critical ? [TRUE] : []), element(0x04, value));

/** A Name of one common name; of nothing when the text is empty. */
export const commonName = (text: string): Buffer =>
  text === "" ? sequence() : sequence(element(0x31, sequence(oid("550403"), element(0x0c, Buffer.from(text)))));

/** Subject alternative names: URIs as Latin-1 text, and DNS names. */
export const subjectAltName = (uris: readonly string[], dnsNames: readonly string[] = [], critical = false): Buffer =>
  extension(
    "551d11",
    critical,
    sequence(
      ...dnsNames.map((name) => element(0x82, Buffer.from(name, "latin1"))),
      ...uris.map((uri) => element(0x86, Buffer.from(uri, "latin1"))),
    ),
  );

/** `octet`: 0x80 digitalSignature, 0x08 keyAgreement, 0x04 keyCertSign, 0x02 cRLSign. */
export const keyUsage = (octet: number, critical = true): Buffer =>
  extension("551d0f", critical, element(0x03, Buffer.from([0, octet])));

export const extendedKeyUsage = (...oidsHex: readonly string[]): Buffer =>
  extension("551d25", false, sequence(...oidsHex.map(oid)));

export const basicConstraints = (isAuthority: boolean): Buffer =>
  extension("551d13", true, sequence(...(isAuthority ? [TRUE] : [])));

/** A whole certificate around these extensions; times as `YYMMDDhhmmssZ`, or longer with four digits of the year. */
export function certificate(
  extensions: readonly Uint8Array[],
  notBefore = "260101000000Z",
  notAfter = "260101010000Z",
): Buffer {
  const time = (text: string): Buffer => element(text.length === 13 ? 0x17 : 0x18, Buffer.from(text));
  const algorithm = sequence(oid("2a8648ce3d040302"));
  const tbs = sequence(
    element(0xa0, Buffer.from([0x02, 0x01, 0x02])),
    element(0x02, Buffer.from([1])),
    algorithm,
    commonName("authority"),
    sequence(time(notBefore), time(notAfter)),
    commonName("workload"),
    sequence(algorithm, element(0x03, Buffer.from([0]))),
    element(0xa3, sequence(...extensions)),
  );
  return sequence(tbs, algorithm, element(0x03, Buffer.from([0])));
}
