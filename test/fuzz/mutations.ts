// What may happen to frames between a client and a server that trusts nobody.

import { FLAG, FRAME_HEADER_BYTES, FRAME_TYPE } from "../../src/server/http2/frame.ts";
import type { Random } from "../support/random.ts";
import { type ClientFrame, clientFrame, toBytes, words } from "./client-frame.ts";

const NUMBERS = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 65_535, 16_384, 16_385];

/** Frames of other conversations, to be put between those of this one. */
const POOL: ClientFrame[] = [];
const POOL_FRAMES = 256;

/** Changes some of the frames, and perhaps the octets that come of them. */
export function mutate(frames: readonly ClientFrame[], random: Random): Buffer {
  const changed = frames.map((frame) => ({ ...frame }));
  for (let changes = 1 + random.below(3); changes > 0; changes--) change(changed, random);
  for (const frame of frames) if (random.chance(5)) POOL[random.below(POOL_FRAMES)] = frame;
  const bytes = toBytes(changed);
  return random.chance(25) && bytes.length > 0 ? break_(bytes, random) : bytes;
}

/** Octets without any sense, or with a little. */
export function rawBytes(random: Random): Buffer {
  if (random.chance(50)) return Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256)));
  const frames = Array.from({ length: 1 + random.below(6) }, () =>
    random.chance(70) ? [invented(random)] : hostile([], random),
  );
  return toBytes(frames.flat());
}

/** Legal or nearly so, and sent for no good: what floods and overflows are made of. */
const HOSTILE: readonly ((id: number, random: Random) => readonly ClientFrame[])[] = [
  (id) => [clientFrame(FRAME_TYPE.WINDOW_UPDATE, 0, id, words(0x7fff_ffff))],
  (id, random) => [clientFrame(FRAME_TYPE.WINDOW_UPDATE, 0, random.chance(50) ? 0 : id, words(random.pick([0, 1])))],
  () => [clientFrame(FRAME_TYPE.WINDOW_UPDATE, 0, 0, words(0x7fff_ffff))],
  (_, random) => [
    clientFrame(FRAME_TYPE.SETTINGS, 0, 0, Buffer.concat([Buffer.of(0, random.below(8)), words(random.pick(NUMBERS))])),
  ],
  (id, random) => new Array<ClientFrame>(random.below(40)).fill(clientFrame(FRAME_TYPE.RST_STREAM, 0, id, words(8))),
  (_, random) => new Array<ClientFrame>(random.below(80)).fill(clientFrame(FRAME_TYPE.PING, 0, 0, Buffer.alloc(8))),
  (_, random) => new Array<ClientFrame>(random.below(80)).fill(clientFrame(FRAME_TYPE.SETTINGS, 0, 0)),
  (id, random) => new Array<ClientFrame>(random.below(80)).fill(clientFrame(FRAME_TYPE.DATA, 0, id)),
  (id, random) => new Array<ClientFrame>(random.below(20)).fill(clientFrame(FRAME_TYPE.CONTINUATION, 0, id)),
  (id, random) => [
    clientFrame(FRAME_TYPE.HEADERS, random.below(2), id, Buffer.of(0x82, 0x86, 0x84)),
    ...new Array<ClientFrame>(random.below(20)).fill(
      clientFrame(FRAME_TYPE.CONTINUATION, 0, id, Buffer.of(0x40, 0, 1, 0x61)),
    ),
  ],
  (id, random) =>
    Array.from({ length: 10 }, (_, at) => id + 2 * at).flatMap((one) => [
      clientFrame(FRAME_TYPE.HEADERS, FLAG.END_HEADERS, one, Buffer.of(0x83, 0x86, 0x84)),
      ...(random.chance(80) ? [clientFrame(FRAME_TYPE.RST_STREAM, 0, one, words(8))] : []),
    ]),
  (id) => [
    clientFrame(
      FRAME_TYPE.HEADERS,
      FLAG.END_HEADERS,
      id,
      Buffer.concat([
        Buffer.of(0x83, 0x86, 0x84, 0x40, 0x01, 0x61, 0x7f, 0x80, 0x1e),
        Buffer.alloc(3_967, 0x62),
        Buffer.alloc(9_000, 0xbe),
      ]),
    ),
  ],
  (id) => [clientFrame(FRAME_TYPE.PRIORITY, 0, id, Buffer.concat([words(id), Buffer.of(0)]))],
  () => [clientFrame(FRAME_TYPE.GOAWAY, 0, 0, Buffer.alloc(8))],
];

function hostile(frames: readonly ClientFrame[], random: Random): readonly ClientFrame[] {
  const near = frames.length === 0 ? 1 : random.pick(frames).streamId;
  return random.pick(HOSTILE)(random.chance(80) ? near : 2 * random.below(60) + 1, random);
}

function invented(random: Random): ClientFrame {
  const length = random.pick([0, 1, 4, 5, 6, 8, random.below(64)]);
  const payload = Buffer.from(Array.from({ length }, () => (random.chance(50) ? 0 : random.below(256))));
  const flags = random.chance(50) ? random.pick([0, 1, 4, 5, 8, 0x20]) : random.below(256);
  const streamId = random.chance(70) ? random.below(12) : random.pick(NUMBERS);
  return clientFrame(random.below(random.chance(90) ? 10 : 256), flags, streamId, payload);
}

function change(frames: ClientFrame[], random: Random): void {
  const at = random.below(frames.length + 1);
  const frame = frames[at];
  if (frame === undefined) {
    frames.push(invented(random));
    return;
  }
  switch (random.below(16)) {
    case 0:
      frame.type = random.below(random.chance(80) ? 10 : 256);
      break;
    case 1:
      frame.flags ^= 1 << random.below(8);
      break;
    case 2:
      frame.streamId = random.pick([
        frame.streamId + 2,
        frame.streamId + 1,
        Math.max(frame.streamId - 2, 0),
        0,
        random.below(50),
        random.pick(NUMBERS),
      ]);
      break;
    case 3:
      frame.length = random.chance(80)
        ? Math.max(frame.payload.length + random.below(5) - 2, 0)
        : random.below(0x1_000_000);
      break;
    case 4:
      frame.payload = frame.payload.subarray(0, random.below(frame.payload.length + 1));
      break;
    case 5:
    case 6:
      frame.payload = flipped(frame.payload, random);
      break;
    case 7:
      frames.splice(at, 0, { ...frame });
      break;
    case 8:
      frames.splice(at, 1);
      break;
    case 9: {
      const other = random.below(frames.length);
      [frames[at], frames[other]] = [frames[other] as ClientFrame, frame];
      break;
    }
    case 10:
      frames.splice(at, 0, POOL[random.below(POOL_FRAMES)] ?? invented(random));
      break;
    case 11:
      frames.splice(at, 0, invented(random));
      break;
    default:
      frame.payload = random.chance(50)
        ? words(random.pick(NUMBERS))
        : Buffer.concat([frame.payload, Buffer.alloc(random.below(300))]);
  }
}

function flipped(payload: Buffer, random: Random): Buffer {
  if (payload.length === 0) return payload;
  const bytes = Buffer.from(payload);
  for (let flips = 1 + random.below(3); flips > 0; flips--) {
    const at = random.chance(50) ? random.below(Math.min(bytes.length, 16)) : random.below(bytes.length);
    bytes[at] = random.chance(50) ? (bytes[at] as number) ^ (1 << random.below(8)) : random.below(256);
  }
  return bytes;
}

/** Breaks the framing itself. */
function break_(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length);
  switch (random.below(4)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(FRAME_HEADER_BYTES))]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), Buffer.of(random.below(256)), bytes.subarray(at)]);
    default:
      return flipped(bytes, random);
  }
}
