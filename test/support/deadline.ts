// A limit on how long a test waits for what it expects: it fails with a sentence instead of hanging.

/** What `waiting` gives, or an error with `describe()` after `limitMs`. */
export async function withDeadline<T>(waiting: Promise<T>, limitMs: number, describe: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limitMs} ms: ${describe()}`)), limitMs);
  });
  try {
    return await Promise.race([waiting, late]);
  } finally {
    clearTimeout(timer);
  }
}
