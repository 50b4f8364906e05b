#!/usr/bin/env node
// Starts the built program; without a build it says what to run.
import { existsSync } from "node:fs";

const program = new URL("../dist/src/main.js", import.meta.url);
if (existsSync(program)) await import(program);
else {
  process.stderr.write("svidgate is not built: run `npm ci` (or `npm run build`) in its folder first\n");
  process.exitCode = 70;
}
