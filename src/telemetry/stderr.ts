// The log's way out: standard error, without waiting for whoever reads it and without growing when nobody does.

const MAX_WAITING_BYTES = 1_048_576;

let prepared = false;
let dropped = 0;

/** Writes one line to stderr; drops it while 1 MiB already waits for a slow reader. Never throws. */
export function writeStderr(line: string): void {
  const { stderr } = process;
  if (!prepared) {
    prepared = true;
    // A closed pipe must not end the process; the lines are lost, the decisions go on.
    stderr.on("error", () => undefined);
  }
  // Node writes to pipes at once where they have room, and holds the rest in memory without a bound of its own.
  if (stderr.writableLength > MAX_WAITING_BYTES || stderr.destroyed) {
    dropped++;
    return;
  }
  if (dropped > 0) {
    const count = dropped;
    dropped = 0;
    stderr.write(`{"level":"warn","msg":"log lines were dropped: stderr was not read","count":${count}}\n`);
  }
  stderr.write(line);
}
