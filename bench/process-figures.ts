// What the kernel says of another process. SPEC: proc(5).

import { readFileSync } from "node:fs";

/** Resident memory now, MiB. */
export function rssMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** CPU time of all its threads so far, milliseconds, to ten of them. */
export function cpuMs(pid: number): number {
  // The program's name, in parentheses, may hold spaces; utime and stime are the 12th and 13th words behind it, in 1/100 s.
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const words = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(words[11]) + Number(words[12])) * 10;
}
