import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { H2Connection } from "../../../src/server/h2-connection.ts";

const NOTICE = "0000080700000000007fffffff00000000";

/** Both ends of a TCP connection. */
async function makePair(t: TestContext): Promise<{ ours: Socket; theirs: Socket }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const theirs = connect((server.address() as { port: number }).port, "127.0.0.1");
  const ours = await accepted;
  t.after(() => {
    ours.destroy();
    theirs.destroy();
  });
  return { ours, theirs };
}

/** What arrives at `socket` until `length` bytes are there, as hex. */
function receive(socket: Socket, length: number): Promise<string> {
  return new Promise((resolve) => {
    let got = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      if (got.length >= length) resolve(got.toString("hex"));
    });
  });
}

describe("H2Connection", () => {
  it("carries bytes both ways, larger than any buffer", async (t) => {
    const { ours, theirs } = await makePair(t);
    const connection = new H2Connection(ours);
    const large = Buffer.alloc(5 * 1024 * 1024, "0123456789");
    const there = receive(theirs, large.length);
    connection.write(large);
    assert.equal(await there, large.toString("hex"));
    theirs.write(large);
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of connection) {
      chunks.push(chunk);
      length += chunk.length;
      if (length === large.length) break;
    }
    assert.ok(Buffer.concat(chunks).equals(large));
  });

  it("does not read ahead of its reader", async (t) => {
    const { ours, theirs } = await makePair(t);
    const connection = new H2Connection(ours);
    const sent = 64 * 1024 * 1024;
    theirs.write(Buffer.alloc(sent));
    connection.read(0);
    await new Promise((resolve) => connection.once("readable", resolve));
    // Twice through the event loop: whatever would be read without being asked for is in by then.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(connection.readableLength < 1024 * 1024, `${connection.readableLength}`);
    assert.ok(ours.isPaused());
  });

  it("writes the notice after what the session has written before", async (t) => {
    const { ours, theirs } = await makePair(t);
    const connection = new H2Connection(ours);
    const there = receive(theirs, 2 + 17 + 2);
    connection.write(Buffer.from("aabb", "hex"));
    connection.sendGoawayNotice();
    connection.write(Buffer.from("ccdd", "hex"));
    assert.equal(await there, `aabb${NOTICE}ccdd`);
  });

  it("holds the notice back until the session has spoken, and out of what it writes in that turn", async (t) => {
    const { ours, theirs } = await makePair(t);
    const connection = new H2Connection(ours);
    const there = receive(theirs, 4 + 17);
    connection.sendGoawayNotice();
    connection.write(Buffer.from("aabb", "hex"));
    connection.write(Buffer.from("ccdd", "hex"));
    assert.equal(await there, `aabbccdd${NOTICE}`);
  });

  it("ignores the notice when it has ended", async (t) => {
    const { ours, theirs } = await makePair(t);
    const connection = new H2Connection(ours);
    theirs.resume();
    connection.end(Buffer.from("aa", "hex"));
    connection.sendGoawayNotice();
    const closed = new Promise((resolve) => connection.on("close", resolve));
    connection.resume();
    theirs.end();
    await closed;
    assert.equal(connection.errored, null);
    connection.sendGoawayNotice();
  });

  it("closes when the peer resets, without an error that nobody handles", async (t) => {
    const { ours, theirs } = await makePair(t);
    const connection = new H2Connection(ours);
    const closed = new Promise((resolve) => connection.on("close", resolve));
    connection.resume();
    theirs.resetAndDestroy();
    await closed;
    assert.equal(ours.destroyed, true);
  });

  it("gives a peer that never closes its side a limited time", async (t) => {
    const { ours, theirs } = await makePair(t);
    theirs.allowHalfOpen = true;
    const connection = new H2Connection(ours, 20);
    const closed = new Promise((resolve) => connection.on("close", resolve));
    connection.resume();
    connection.end();
    await closed;
    assert.equal(ours.destroyed, true);
  });
});
