// `svidgate version`: what runs here, for bug reports.

import { packageVersion } from "../base/package-root.ts";
import { shippedCompiler } from "../policy/compiler/index.ts";
import { type Command, EXIT } from "./command.ts";

/** The command. */
export const version: Command = {
  name: "version",
  summary: "print the versions of svidgate, its Rego compiler and Node",
  usage: "",
  examples: ["svidgate version"],
  configFlags: [],
  flags: [],
  maxPositionals: 0,
  async run(_args, ports) {
    ports.out(`svidgate ${packageVersion()}\nrego compiler ${shippedCompiler()}\nnode ${process.versions.node}\n`);
    return EXIT.fine;
  },
};
