// HTTP/2 frames by hand (RFC 9113 §4, §6), for peers that do what no library would.

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
/** HEADERS begin with the five bytes of a PRIORITY frame. */
export const WITH_PRIORITY = 0x20;

export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

const NO_BYTES = Buffer.alloc(0);

/** One frame. */
export const frame = (type: number, flags: number, stream: number, payload: Uint8Array = NO_BYTES): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

/** Four bytes, most significant first. */
export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** What `make` gives for 0 to `count` - 1, in a row. */
export const repeat = (count: number, make: (index: number) => Uint8Array): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

/** A SETTINGS frame of identifiers and values. */
export const settings = (...pairs: readonly (readonly [id: number, value: number])[]): Buffer =>
  frame(
    FRAME.SETTINGS,
    0,
    0,
    Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 0xff]), uint32(value)]))),
  );

export const ping = (payload: Uint8Array = Buffer.alloc(8), flags = 0): Buffer => frame(FRAME.PING, flags, 0, payload);

export const windowUpdate = (stream: number, bytes: number): Buffer =>
  frame(FRAME.WINDOW_UPDATE, 0, stream, uint32(bytes));

export const resetStream = (stream: number, code = 8): Buffer => frame(FRAME.RST_STREAM, 0, stream, uint32(code));

/** PRIORITY: `stream` depends on `dependency`. */
export const priority = (stream: number, dependency: number): Buffer =>
  frame(FRAME.PRIORITY, 0, stream, Buffer.concat([uint32(dependency), Buffer.from([15])]));

export const goaway = (lastStream: number, code = 0): Buffer =>
  frame(FRAME.GOAWAY, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));

/** The 24 bytes that open a connection. */
export const MAGIC: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** The connection preface with empty settings. */
export const PREFACE: Buffer = Buffer.concat([MAGIC, settings()]);

const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);

/** The headers of a gRPC call. SPEC: RFC 7541 §6: indexed :method POST and :scheme http, the rest literal without indexing. */
export const headerBlock = (path: string): Buffer =>
  Buffer.concat([
    Buffer.from([0x83, 0x86, 0x04]),
    text(path),
    Buffer.from([0x01]),
    text("pdp"),
    Buffer.from([0x0f, 0x10]),
    text("application/grpc"),
    Buffer.from([0x00]),
    text("te"),
    text("trailers"),
  ]);

/** An HPACK integer behind `prefix`, whose free bits are `bits`. SPEC: RFC 7541 §5.1. */
export const hpackInteger = (prefix: number, bits: number, value: number): Buffer => {
  const limit = 2 ** bits - 1;
  if (value < limit) return Buffer.from([prefix | value]);
  const bytes = [prefix | limit];
  let rest = value - limit;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
};

/** An HPACK string without Huffman, one byte per character. */
export const hpackString = (value: string): Buffer =>
  Buffer.concat([hpackInteger(0, 7, value.length), Buffer.from(value, "latin1")]);

/** A header line: literal, with a new name, not indexed (`0x00`), or with `0x40` put into the dynamic table. */
export const literal = (name: string, value: string, form: 0x00 | 0x10 | 0x40 = 0x00): Buffer =>
  Buffer.concat([Buffer.from([form]), hpackString(name), hpackString(value)]);

/** Header lines in this order, each as a literal. */
export const literals = (fields: readonly (readonly [name: string, value: string])[]): Buffer =>
  Buffer.concat(fields.map(([name, value]) => literal(name, value)));

/** A gRPC message with its prefix. */
export const grpcMessage = (message: Uint8Array, flag = 0): Buffer =>
  Buffer.concat([Buffer.from([flag]), uint32(message.length), message]);
