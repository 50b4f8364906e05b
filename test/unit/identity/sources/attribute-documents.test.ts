import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import { systemTimers } from "../../../../src/base/timers.ts";
import { findAttributeData } from "../../../../src/identity/attribute-data.ts";
import {
  type DocumentFiles,
  type DocumentFilesOptions,
  startDocumentFiles,
} from "../../../../src/identity/sources/attribute-documents.ts";
import { readBounded } from "../../../../src/identity/sources/watched-file.ts";
import { parseSpiffeId } from "../../../../src/identity/spiffe-id.ts";
import { createManualClock } from "../../../support/manual-clock.ts";

const WEB = "spiffe://example.org/web";

let folder: string;
let running: DocumentFiles[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svidgate-attributes-"));
  running = [];
});
afterEach(() => {
  for (const files of running) files.close();
  rmSync(folder, { recursive: true, force: true });
});

const path = (name = "a.json"): string => join(folder, name);
const document = (environment: string): string => JSON.stringify({ [WEB]: { environment } });
const write = (text: string, name?: string): void => writeFileSync(path(name), text);

/** Looks only when it is asked to; every file is old to it. */
function start(options: Partial<DocumentFilesOptions> = {}) {
  const clock = createManualClock(Date.now() + 3_600_000);
  const problems: string[] = [];
  const files = startDocumentFiles(
    { files: [path()], ...options },
    { clock, timers: clock.timers, onProblem: (problem) => problems.push(problem) },
  );
  running.push(files);
  return { files, problems, clock };
}

/** Lets reads and looks go on until something is so; fails after ten seconds. */
async function until(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!isSo()) {
    assert.ok(performance.now() < endMs, "it has not come to be so");
    await new Promise(setImmediate);
  }
}

function environmentOf(files: DocumentFiles): unknown {
  const id = parseSpiffeId(WEB);
  assert.ok(id.ok);
  return findAttributeData(files.current(), id.value).get("environment");
}

describe("documents from files", () => {
  it("are in force after the first read", async () => {
    write(document("prod"));
    const { files } = start();
    assert.equal(environmentOf(files), undefined);
    assert.deepEqual(await files.ready, []);
    assert.equal(environmentOf(files), '"prod"');
    const [status] = files.status();
    assert.deepEqual([status?.entries, status?.isSigned, status?.problem], [1, false, undefined]);
    assert.match(status?.sha256 ?? "", /^[0-9a-f]{64}$/);
  });

  const broken: readonly (readonly [string, () => void, RegExp])[] = [
    ["a missing file", () => rmSync(path(), { force: true }), /is not there/],
    ["a folder", () => mkdirSync(path()), /is no regular file/],
    ["no JSON", () => write("{"), /not a JSON object/],
    ["a broken entry", () => write('{"spiffe://example.org/ns/": {}}'), /trailing_slash/],
    ["more than 4 MiB", () => write(" ".repeat(4 * 1024 * 1024 + 1)), /at most 4194304/],
  ];
  for (const [what, make, why] of broken) {
    it(`${what} at the start is a reason not to start, with the file's name`, async () => {
      make();
      const { files, problems } = start();
      const [problem = ""] = await files.ready;
      assert.match(problem, /^svidgate\.identity\.attributes\.files: `.*a\.json`: /);
      assert.match(problem, why);
      assert.deepEqual(problems, [], "told once");
      assert.deepEqual(files.status()[0]?.entries, undefined);
    });

    it(`${what} later leaves the last good document in force`, async () => {
      write(document("prod"));
      const { files } = start();
      await files.ready;
      const { generation } = files;
      rmSync(path());
      make();
      const [problem = ""] = await files.reload();
      assert.match(problem, why);
      assert.match(problem, /the last good one stays in force$/);
      assert.equal(environmentOf(files), '"prod"');
      assert.equal(files.generation, generation);
      rmSync(path(), { recursive: true, force: true });
      write(document("test"));
      assert.deepEqual(await files.reload(), []);
      assert.equal(environmentOf(files), '"test"');
      assert.equal(files.generation, generation + 1);
    });
  }

  it("every broken file is told, and the good ones are in force", async () => {
    write(document("prod"));
    write("{", "b.json");
    const { files } = start({ files: [path("b.json"), path(), path("c.yaml")] });
    const problems = await files.ready;
    assert.deepEqual(
      problems.map((problem) => /`[^`]*\/([^`/]*)`/.exec(problem)?.[1]),
      ["b.json", "c.yaml"],
    );
    assert.equal(environmentOf(files), '"prod"');
  });

  it("the first file counts, whichever was read last", async () => {
    write(document("first"));
    write(document("second"), "b.json");
    const { files } = start({ files: [path(), path("b.json")] });
    await files.ready;
    write(document("third"), "b.json");
    await files.reload();
    assert.equal(environmentOf(files), '"first"');
  });

  it("YAML that was written just now may be half of it: the second look counts", async () => {
    const entry = (name: string): string => `spiffe://example.org/${name}:\n  environment: ${name}\n`;
    write(entry("a") + entry("b"), "a.yaml");
    const { files, problems, clock } = start({ files: [path("a.yaml")] });
    await files.ready;
    write(entry("a"), "a.yaml");
    const writtenUnixMs = clock.unixMs() + 1_000;
    utimesSync(path("a.yaml"), writtenUnixMs / 1_000, writtenUnixMs / 1_000);
    clock.advanceMs(1_000);
    // The watcher has looked when it waits for its second look; three reads more, and the source has read too.
    await until(() => (clock.timers.nextMs ?? 0) <= 50);
    for (let read = 0; read < 3; read++) await readBounded(path("a.yaml"), 1_000);
    assert.deepEqual([files.generation, files.status()[0]?.entries], [1, 2]);
    clock.advanceMs(50);
    await until(() => files.generation === 2);
    assert.equal(files.status()[0]?.entries, 1);
    assert.deepEqual(problems, []);
  });

  it("a reload without a change raises nothing and tells nobody", async () => {
    write(document("prod"));
    const { files } = start();
    await files.ready;
    const { generation } = files;
    const hour = new Date(Date.now() - 3_600_000);
    utimesSync(path(), hour, hour);
    await files.reload();
    assert.equal(files.generation, generation);
    write(document("test"));
    await files.reload();
    assert.equal(files.generation, generation + 1);
  });

  it("nothing changes after it was closed", async () => {
    write(document("prod"));
    const { files } = start();
    await files.ready;
    files.close();
    write(document("test"));
    await files.reload();
    assert.equal(environmentOf(files), '"prod"');
  });
});

describe("documents that must be signed", () => {
  const pair = generateKeyPairSync("ed25519");
  const pem = (key: KeyObject): string => String(key.export({ type: "spki", format: "pem" }));
  const signature = (text: string, key = pair.privateKey): string =>
    `${sign(null, Buffer.from(text), key).toString("base64")}\n`;
  const signed = () => start({ publicKey: path("key.pem") });
  beforeEach(() => {
    write(document("prod"));
    write(signature(document("prod")), "a.json.sig");
    write(pem(pair.publicKey), "key.pem");
  });

  it("are in force with their signature", async () => {
    const { files } = signed();
    assert.deepEqual(await files.ready, []);
    assert.equal(environmentOf(files), '"prod"');
    assert.equal(files.status()[0]?.isSigned, true);
  });

  const other = generateKeyPairSync("ed25519");
  const refused: readonly (readonly [string, () => void, RegExp])[] = [
    ["no signature", () => rmSync(path("a.json.sig")), /its signature `.*a\.json\.sig` is not there/],
    ["an empty signature", () => write("", "a.json.sig"), /is not its signature/],
    [
      "a signature of another key",
      () => write(signature(document("prod"), other.privateKey), "a.json.sig"),
      /is not its signature by the key of/,
    ],
    ["a signature of another document", () => write(signature(document("test")), "a.json.sig"), /is not its signature/],
    ["a document that was changed", () => write(document("evil")), /is not its signature/],
    ["a document with a space behind it", () => write(`${document("prod")} `), /is not its signature/],
    ["a signature that is no base64", () => write("?", "a.json.sig"), /is not its signature/],
    ["a huge signature", () => write("A".repeat(5000), "a.json.sig"), /at most 1024/],
    ["another key", () => write(pem(other.publicKey), "key.pem"), /is not its signature by the key of/],
    ["no key", () => rmSync(path("key.pem")), /the public key `.*key\.pem` is not there/],
    ["a broken key", () => write("key", "key.pem"), /the public key `.*key\.pem`: expected a public key in PEM/],
  ];
  for (const [what, change, why] of refused) {
    it(`${what} at the start is a reason not to start`, async () => {
      change();
      const { files } = signed();
      const [problem = ""] = await files.ready;
      assert.match(problem, why);
      assert.equal(environmentOf(files), undefined);
    });

    it(`${what} later leaves the last good document in force`, async () => {
      const { files } = signed();
      await files.ready;
      change();
      const [problem = ""] = await files.reload();
      assert.match(problem, why);
      assert.equal(environmentOf(files), '"prod"');
    });
  }

  it("a document is not parsed before its signature holds", async () => {
    write("{", "a.json");
    const { files } = signed();
    assert.match((await files.ready)[0] ?? "", /is not its signature/);
  });

  it("an unsigned file is taken only where no key is configured", async () => {
    rmSync(path("a.json.sig"));
    const { files } = start();
    assert.deepEqual(await files.ready, []);
  });

  it("a signature that arrives later puts the document in force", async () => {
    const { files } = signed();
    await files.ready;
    write(document("test"));
    assert.equal((await files.reload()).length, 1);
    write(signature(document("test")), "a.json.sig");
    assert.deepEqual(await files.reload(), []);
    assert.equal(environmentOf(files), '"test"');
  });
});

describe("documents that are watched", () => {
  // Watchers keep no process alive, so a test that waits for one has to.
  let alive: NodeJS.Timeout;
  beforeEach(() => {
    alive = setInterval(() => undefined, 1000);
  });
  afterEach(() => clearInterval(alive));

  /** With the machine's clock: resolves when what is in force changes. */
  const watch = (options: Partial<DocumentFilesOptions> = {}) => {
    const problems: string[] = [];
    let tell = (_problem: string): void => undefined;
    const files = startDocumentFiles(
      { files: [path()], ...options },
      {
        clock: systemClock,
        timers: systemTimers,
        pollMs: 50,
        onProblem: (problem) => {
          problems.push(problem);
          tell(problem);
        },
      },
    );
    running.push(files);
    const changed = () => {
      const { generation } = files;
      return until(() => files.generation > generation);
    };
    const told = () => new Promise<string>((resolve) => (tell = resolve));
    return { files, problems, changed, told };
  };
  const replace = (text: string, name = "a.json"): void => {
    write(text, `${name}.new`);
    renameSync(path(`${name}.new`), path(name));
  };

  it("follow a file that is replaced", async () => {
    write(document("prod"));
    const { files, changed } = watch();
    await files.ready;
    const change = changed();
    replace(document("test"));
    await change;
    assert.equal(environmentOf(files), '"test"');
  });

  it("follow a link that is swapped, as Kubernetes does", async () => {
    for (const version of ["1", "2"]) {
      mkdirSync(path(version));
      write(document(version), `${version}/a.json`);
    }
    symlinkSync("1", path("..data"));
    symlinkSync("..data/a.json", path());
    const { files, changed } = watch();
    await files.ready;
    const change = changed();
    symlinkSync("2", path("..new"));
    renameSync(path("..new"), path("..data"));
    await change;
    assert.equal(environmentOf(files), '"2"');
  });

  it("tell what is wrong with a change once, and go on", async () => {
    write(document("prod"));
    const { files, problems, changed, told } = watch();
    await files.ready;
    const problem = told();
    replace("{");
    assert.match(await problem, /not a JSON object/);
    assert.equal(environmentOf(files), '"prod"');
    const change = changed();
    replace(document("test"));
    await change;
    assert.equal(environmentOf(files), '"test"');
    assert.equal(problems.length, 1);
  });

  it("follow the signature and the key", async () => {
    const [old, next] = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")];
    const pemOf = (key: KeyObject): string => String(key.export({ type: "spki", format: "pem" }));
    const sigOf = (text: string, key: KeyObject): string => sign(null, Buffer.from(text), key).toString("base64");
    write(document("prod"));
    write(sigOf(document("prod"), old.privateKey), "a.json.sig");
    write(pemOf(old.publicKey), "key.pem");
    const { files, changed, told } = watch({ publicKey: path("key.pem") });
    assert.deepEqual(await files.ready, []);
    const problem = told();
    replace(document("test"));
    assert.match(await problem, /is not its signature/);
    let change = changed();
    replace(sigOf(document("test"), old.privateKey), "a.json.sig");
    await change;
    assert.equal(environmentOf(files), '"test"');
    const second = told();
    replace(pemOf(next.publicKey), "key.pem");
    assert.match(await second, /is not its signature/);
    assert.equal(environmentOf(files), '"test"');
    change = changed();
    replace(document("next"));
    replace(sigOf(document("next"), next.privateKey), "a.json.sig");
    await change;
    assert.equal(environmentOf(files), '"next"');
  });
});
