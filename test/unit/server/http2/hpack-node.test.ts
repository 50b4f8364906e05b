// What Node's own HTTP/2 client writes, decoded: its HPACK encoder (nghttp2's) knows nothing of ours.

import assert from "node:assert/strict";
import http2 from "node:http2";
import { type Duplex, duplexPair } from "node:stream";
import { it } from "node:test";
import { createHpackDecoder, type HpackDecoder } from "../../../../src/server/http2/hpack-decoder.ts";
import { FRAME, frame } from "../../../support/h2-frames.ts";
import { Random } from "../../../support/random.ts";

const PREFACE_BYTES = 24;
const PRIORITY_FLAG = 0x20;
const ACK = 1;

/** A client of Node whose bytes are split to frames; header blocks come whole, in order. */
class NodeClient {
  readonly session: http2.ClientHttp2Session;
  readonly #wire: Duplex;
  readonly #decoder: HpackDecoder;
  readonly #tableBytes: number[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #sawPreface = false;
  #block: Buffer[] = [];
  #waiting: ((block: Buffer) => void)[] = [];

  constructor(decoder: HpackDecoder) {
    const [near, far] = duplexPair();
    this.#wire = far;
    this.#decoder = decoder;
    far.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.session = http2.connect("http://svidgate.test", { createConnection: () => near });
    this.session.on("error", () => undefined);
    far.write(frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(0)));
  }

  /** SETTINGS_HEADER_TABLE_SIZE; the decoder learns it when the client has acknowledged. */
  announceTableBytes(bytes: number): void {
    const payload = Buffer.alloc(6);
    payload.writeUInt16BE(1, 0);
    payload.writeUInt32BE(bytes, 2);
    this.#tableBytes.push(bytes);
    this.#wire.write(frame(FRAME.SETTINGS, 0, 0, payload));
  }

  async request(headers: http2.OutgoingHttpHeaders): Promise<Buffer> {
    const block = new Promise<Buffer>((resolve) => this.#waiting.push(resolve));
    this.session.request(headers, { endStream: true }).on("error", () => undefined);
    return await block;
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#sawPreface) {
      if (this.#bytes.length < PREFACE_BYTES) return;
      this.#sawPreface = true;
      this.#bytes = this.#bytes.subarray(PREFACE_BYTES);
    }
    while (this.#bytes.length >= 9 && this.#bytes.length >= 9 + this.#bytes.readUIntBE(0, 3)) {
      const length = this.#bytes.readUIntBE(0, 3);
      this.#take(this.#bytes[3] as number, this.#bytes[4] as number, this.#bytes.subarray(9, 9 + length));
      this.#bytes = this.#bytes.subarray(9 + length);
    }
  }

  #take(type: number, flags: number, payload: Buffer): void {
    if (type === FRAME.SETTINGS && (flags & ACK) !== 0) this.#acknowledged();
    if (type !== FRAME.HEADERS && type !== FRAME.CONTINUATION) return;
    this.#block.push(type === FRAME.HEADERS && (flags & PRIORITY_FLAG) !== 0 ? payload.subarray(5) : payload);
    if ((flags & 4) === 0) return;
    this.#waiting.shift()?.(Buffer.concat(this.#block));
    this.#block = [];
  }

  /** The first acknowledgement is for the settings of the connection's start. */
  #sawFirst = false;
  #acknowledged(): void {
    if (this.#sawFirst) this.#decoder.setMaxTableBytes(this.#tableBytes.shift() as number);
    this.#sawFirst = true;
  }
}

it("decodes what Node's client encodes, over changing table sizes, to what was asked", async () => {
  const decoder = createHpackDecoder({ maxTableBytes: 4096, maxListBytes: 262_144 });
  const client = new NodeClient(decoder);
  const random = new Random(20);
  // Visible octets and those above 127, which an encoder writes with Huffman codes where they are shorter.
  const octets = Array.from({ length: 222 }, (_, at) => String.fromCharCode(at < 94 ? 0x21 + at : 0x80 + at - 94));
  const names = [
    "x-request-id",
    "traceparent",
    "user-agent",
    "grpc-timeout",
    "authorization",
    "x-envoy-internal",
    "accept",
  ];
  const values = ["", "1", "200m", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "v".repeat(700)];
  let fromTable = 0;
  for (let run = 0; run < 400; run++) {
    if (run % 40 === 39) client.announceTableBytes(random.pick([0, 100, 512, 4096]));
    const asked: Record<string, string> = {
      ":method": random.pick(["POST", "GET", "OPTIONS"]),
      ":scheme": random.pick(["http", "https"]),
      ":authority": random.pick(["a.test", "b.test:8080"]),
      ":path": random.pick(["/", "/envoy.service.auth.v3.Authorization/Check", `/${random.below(9)}`]),
    };
    for (let lines = random.below(7); lines > 0; lines--)
      asked[random.chance(80) ? random.pick(names) : `x-${random.below(50)}`] = random.chance(70)
        ? random.pick(values)
        : random.text(random.chance(50) ? octets : octets.slice(0, 94), random.below(60));
    const secret = random.chance(30) ? Object.keys(asked).filter((name) => !name.startsWith(":")) : [];
    const block = await client.request({ ...asked, [http2.sensitiveHeaders]: secret });
    const list = decoder.decode(block, 0, block.length);
    assert.ok(typeof list !== "string", `${list} of ${block.toString("hex")}`);
    assert.deepEqual(Object.fromEntries(list.fields.map(({ name, value }) => [name, value])), asked);
    assert.equal(list.fields.length, Object.keys(asked).length);
    if (block.length < list.bytes / 8) fromTable++;
  }
  assert.ok(fromTable > 50, `only ${fromTable} blocks came mostly from the table`);
  client.session.destroy();
});
