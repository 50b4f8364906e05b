// `svidgate serve`: the decision point itself, until a signal ends it.

import { setFlagsFromString } from "node:v8";
import { systemClock } from "../base/clock.ts";
import { packageVersion } from "../base/package-root.ts";
import { createLog } from "../telemetry/log.ts";
import { writeStderr } from "../telemetry/stderr.ts";
import { type Command, EXIT, reportProblems } from "./command.ts";
import { readSettings } from "./settings.ts";

/** The command. */
export const serve: Command = {
  name: "serve",
  summary: "answer Envoy's ext_authz checks over gRPC",
  usage: "--policy PATH [flags]",
  examples: [
    "svidgate serve --policy policies/service-allow-list",
    "svidgate serve --policy bundle.tar.gz --listen unix:/run/svidgate.sock --audit file:/var/log/svidgate.jsonl",
    "svidgate serve --policy policy.rego --data roles.json --on-error grpc_error",
    "svidgate serve --policy policy.rego --set plugins.envoy_ext_authz_grpc.addr=:9191",
  ],
  configFlags: [
    "policy",
    "data",
    "rego-version",
    "entrypoint",
    "listen",
    "insecure-listen",
    "tls-certificate",
    "tls-private-key",
    "tls-client-ca",
    "tls-client-spiffe-id",
    "workload-api",
    "trust-domain-bundle",
    "jwt-audience",
    "listener",
    "workers",
    "admin",
    "on-error",
    "dry-run",
    "decision-cache",
    "audit",
    "log-level",
  ],
  flags: [],
  maxPositionals: 0,
  async run(args, ports) {
    const resolved = readSettings(args, ports);
    if (!resolved.ok) return reportProblems(ports, resolved.problems);
    const { settings } = resolved;
    // PERF: V8 lets the old generation grow to several times what lives in it before it collects. Checks leave little behind,
    // so a small step keeps the process at about 115 MB where it would reach 160, at no measurable loss of checks/s.
    setFlagsFromString("--heap-growing-percent=20");
    // PERF: the listener and its packages load only for the command that needs them.
    const { startApp } = await import("../app.ts");
    let inForce = settings;
    const log = createLog({
      get level() {
        return inForce.logLevel;
      },
      write: writeStderr,
      clock: systemClock,
    });
    // A SIGHUP while it starts must not end it: the files may have changed after they were read, so it is kept for later.
    let reload = (): void => {
      missedReload = true;
    };
    let missedReload = false;
    ports.onSignal("SIGHUP", () => reload());
    const started = await startApp(settings, {
      clock: systemClock,
      log,
      configFile: args.configFile,
      environment: ports.env,
      ...(ports.readRequest && { readRequest: ports.readRequest }),
    });
    if (!started.ok) return reportProblems(ports, started.problems);
    const { app } = started;
    // Before it says that it serves: whoever reads that may signal at once.
    const stopSignal = new Promise<string>((resolve) => {
      for (const name of ["SIGTERM", "SIGINT"] as const) ports.onSignal(name, () => resolve(name));
    });
    log.info("serving", {
      version: packageVersion(),
      address: app.address,
      admin: app.adminAddress ?? "off",
      revision: app.policy.revision,
      entrypoint: app.policy.entrypoint,
      strictBuiltinErrors: app.policy.strictErrors,
      onError: settings.onError,
      dryRun: settings.dryRun,
    });
    if (app.policy.strictErrors === "host")
      log.warn(
        "strict builtin errors: errors of the builtins inside the module are not heard of: build it with `svidgate build`",
      );
    if (settings.dryRun) log.warn("dry run: every answer is an allow");

    // INVARIANT: whatever reading and compiling do, the policy in force goes on; an unhandled rejection would end the process.
    reload = reloadOneByOne(async () => {
      try {
        await app.reload(readSettings(args, ports));
      } catch (error) {
        log.error("reload failed by our fault: configuration and policy in force stay", { error: error as Error });
      }
      inForce = app.settings;
    });
    if (missedReload) reload();
    const signal = await stopSignal;
    reload = () => undefined;
    log.info("draining", { signal, lameDuckMs: settings.lameDuckMs, graceMs: settings.graceMs });
    // A second signal means now.
    const impatient = new Promise<"now">((resolve) => {
      for (const name of ["SIGTERM", "SIGINT"] as const) ports.onSignal(name, () => resolve("now"));
    });
    if ((await Promise.race([app.drain(), impatient])) === "now") await app.close();
    log.info("stopped");
    log.flush();
    return EXIT.fine;
  },
};

/**
 * Runs `reload` one at a time. A call that comes meanwhile is followed by one more run, however many calls there were:
 * the last signal's files are the ones in force at the end, and a storm of signals costs two reloads.
 */
function reloadOneByOne(reload: () => Promise<unknown>): () => void {
  let running = false;
  let again = false;
  const run = async (): Promise<void> => {
    running = true;
    do {
      again = false;
      await reload();
    } while (again);
    running = false;
  };
  return () => {
    again = true;
    if (!running) void run();
  };
}
