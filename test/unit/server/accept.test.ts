import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  type AcceptOptions,
  type Acceptor,
  type BindCode,
  bindServer,
  closeServer,
  openAcceptor,
} from "../../../src/server/accept.ts";
import { parseListenAddress } from "../../../src/server/listen-address.ts";
import { makeFolder } from "../../support/open-check-server.ts";

const parse = (text: string) => {
  const address = parseListenAddress(text);
  assert.ok(address.ok, text);
  return address.value;
};

async function open(
  t: TestContext,
  text: string,
  options: AcceptOptions = {},
  take: (socket: Socket) => void = (s) => s.end(),
): Promise<Acceptor> {
  const opened = await openAcceptor(parse(text), take, options);
  assert.ok(opened.ok, opened.ok ? "" : opened.detail);
  t.after(() => opened.value.stop());
  return opened.value;
}

async function refused(text: string, code: BindCode, detail: RegExp, options: AcceptOptions = {}): Promise<void> {
  const opened = await openAcceptor(parse(text), (socket) => socket.destroy(), options);
  if (opened.ok) await opened.value.stop();
  assert.ok(!opened.ok, `opened ${text}`);
  assert.equal(opened.code, code);
  assert.match(opened.detail ?? "", detail);
}

/** Leaves a socket file behind whose process is dead. */
function makeStaleSocket(path: string): void {
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  assert.ok(lstatSync(path).isSocket());
}

describe("openAcceptor on TCP", () => {
  it("says which port the system chose", async (t) => {
    const acceptor = await open(t, "127.0.0.1:0");
    assert.match(acceptor.text, /^127\.0\.0\.1:[1-9][0-9]+$/);
    assert.equal(acceptor.isLoopback, true);
  });

  it("hands over connections and counts them", async (t) => {
    const taken: Socket[] = [];
    const acceptor = await open(t, "127.0.0.1:0", {}, (socket) => {
      taken.push(socket);
      socket.end("hello");
    });
    const { port } = acceptor.address as { port: number };
    const got = await new Promise((resolve) => connect(port, "127.0.0.1").on("data", (chunk) => resolve(`${chunk}`)));
    assert.equal(got, "hello");
    assert.equal(taken.length, 1);
    assert.equal(acceptor.accepted, 1);
    assert.ok(Object.values(acceptor.refusals.counts).every((count) => count === 0));
  });

  it("refuses a second listener on the port, and says what to do", async (t) => {
    const first = await open(t, "127.0.0.1:0");
    await refused(
      first.text,
      "address_in_use",
      /cannot listen on `127\.0\.0\.1:\d+`: the address is in use; stop the process/,
    );
  });

  it("is free again after stop, though a connection lives on", async (t) => {
    let live: Socket | undefined;
    const first = await open(t, "127.0.0.1:0", {}, (socket) => {
      live = socket;
    });
    const client = connect((first.address as { port: number }).port, "127.0.0.1");
    t.after(() => client.destroy());
    await new Promise((resolve) => client.on("connect", resolve));
    await first.stop();
    const second = await open(t, first.text);
    assert.equal(second.text, first.text);
    assert.equal(live?.destroyed ?? false, false);
    live?.destroy();
  });

  for (const text of [":0", "0.0.0.0:0", "[::]:0", "pdp.example:0"]) {
    it(`refuses ${text} without TLS, and names the flag`, async () => {
      await refused(
        text,
        "insecure_listen",
        /reachable from other machines without TLS: .*`svidgate\.tls\.certificate`, or pass `--insecure-listen`/,
      );
    });
  }

  for (const text of [":0", "0.0.0.0:0"]) {
    it(`listens on ${text} when told to, and says that it is not loopback`, async (t) => {
      const acceptor = await open(t, text, { insecure: true });
      assert.equal(acceptor.isLoopback, false);
      const socket = connect((acceptor.address as { port: number }).port, "127.0.0.1");
      await new Promise((resolve) => socket.on("close", resolve).resume());
      assert.equal(acceptor.accepted, 1);
    });
  }

  it("names an address that this machine lacks", async () => {
    await refused("192.0.2.1:0", "address_unavailable", /this machine does not have that address/, { insecure: true });
  });
});

describe("openAcceptor on a unix socket", () => {
  for (const [mode, want] of [
    [undefined, 0o660],
    [0o600, 0o600],
    [0o666, 0o666],
  ] as const) {
    it(`gives the file mode ${want.toString(8)}, whatever the umask`, async (t) => {
      const path = join(makeFolder(t), "a.sock");
      const before = process.umask(0o077);
      try {
        const acceptor = await open(t, `unix:${path}`, mode === undefined ? {} : { socketMode: mode });
        assert.equal(statSync(path).mode & 0o777, want);
        assert.equal(acceptor.isLoopback, true);
        assert.equal(process.umask(), 0o077);
      } finally {
        process.umask(before);
      }
    });
  }

  it("never has a wider mode, not even before it is set", async (t) => {
    const path = join(makeFolder(t), "a.sock");
    const server: Server = createServer();
    t.after(() => closeServer(server));
    let modeAtBind = 0;
    const listen = server.listen.bind(server) as (options: object, done: () => void) => Server;
    server.listen = ((options: object, done: () => void) => {
      listen(options, done);
      modeAtBind = statSync(path).mode & 0o777;
      return server;
    }) as Server["listen"];
    const bound = await bindServer(server, { kind: "unix", path }, { socketMode: 0o600 });
    assert.ok(bound.ok);
    assert.equal(modeAtBind, 0o600);
  });

  it("removes the file when it stops", async (t) => {
    const path = join(makeFolder(t), "a.sock");
    const acceptor = await open(t, `unix:${path}`);
    assert.ok(existsSync(path));
    await acceptor.stop();
    assert.equal(existsSync(path), false);
  });

  it("replaces a socket that a dead process left behind", async (t) => {
    const path = join(makeFolder(t), "a.sock");
    makeStaleSocket(path);
    await open(t, `unix:${path}`);
    assert.ok(lstatSync(path).isSocket());
  });

  it("leaves the socket of a living process alone", async (t) => {
    const path = join(makeFolder(t), "a.sock");
    const first = await open(t, `unix:${path}`);
    const { ino } = lstatSync(path);
    await refused(`unix:${path}`, "socket_in_use", /another process answers there; stop it or choose another path/);
    assert.equal(lstatSync(path).ino, ino);
    assert.equal(first.accepted, 1);
  });

  it("refuses a regular file and leaves its content", async (t) => {
    const path = join(makeFolder(t), "a.sock");
    writeFileSync(path, "precious");
    await refused(`unix:${path}`, "socket_path_occupied", /a file is in the way; remove it or choose another path/);
    assert.equal(readFileSync(path, "utf8"), "precious");
  });

  it("refuses a folder", async (t) => {
    const path = join(makeFolder(t), "a.sock");
    mkdirSync(path);
    await refused(`unix:${path}`, "socket_path_occupied", /a folder is in the way/);
  });

  it("refuses a symbolic link to a stale socket, to a file, and to nothing, and follows none", async (t) => {
    const folder = makeFolder(t);
    makeStaleSocket(join(folder, "stale.sock"));
    writeFileSync(join(folder, "file"), "precious");
    for (const target of ["stale.sock", "file", "nothing"]) {
      const link = join(folder, `to-${target}`);
      symlinkSync(join(folder, target), link);
      await refused(`unix:${link}`, "socket_path_occupied", /a symbolic link is in the way/);
      assert.ok(lstatSync(link).isSymbolicLink());
    }
    assert.ok(lstatSync(join(folder, "stale.sock")).isSocket());
    assert.equal(readFileSync(join(folder, "file"), "utf8"), "precious");
    assert.equal(existsSync(join(folder, "nothing")), false);
  });

  it("says that the folder is missing", async (t) => {
    const folder = makeFolder(t);
    await refused(
      `unix:${join(folder, "none", "a.sock")}`,
      "listen_failed",
      /the folder `.*none` does not exist; make it first/,
    );
    writeFileSync(join(folder, "file"), "");
    await refused(`unix:${join(folder, "file", "a.sock")}`, "listen_failed", /the folder `.*file` does not exist/);
  });
});

describe("the cap on connections", () => {
  it("closes and counts what comes over it, and takes new ones when others have gone", async (t) => {
    const held: Socket[] = [];
    let onThird: () => void = () => undefined;
    const third = new Promise<void>((resolve) => {
      onThird = resolve;
    });
    const acceptor = await open(t, "127.0.0.1:0", { maxConnections: 2 }, (socket) => {
      if (held.push(socket) === 3) onThird();
    });
    const { port } = acceptor.address as { port: number };
    const dial = () => {
      const socket = connect(port, "127.0.0.1").on("error", () => undefined);
      t.after(() => socket.destroy());
      return socket;
    };
    await Promise.all([dial(), dial()].map((socket) => new Promise((resolve) => socket.on("connect", resolve))));
    await new Promise((resolve) => dial().on("close", resolve).resume());
    assert.equal(acceptor.refusals.counts.connection_limit, 1);
    assert.equal(acceptor.accepted, 2);
    await new Promise((resolve) => held[0]?.on("close", resolve).destroy());
    dial();
    await third;
    assert.equal(acceptor.accepted, 3);
    for (const socket of held) socket.destroy();
  });
});
