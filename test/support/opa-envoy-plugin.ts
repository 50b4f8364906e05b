// The real opa-envoy-plugin as an oracle: started on a unix socket with a policy that answers with its input.
// Tests that use it skip, with the reason, when `OPA_ENVOY_PLUGIN` names no binary.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";
import { decodeCheckResponse } from "./check-messages.ts";
import { createGrpcPeer } from "./grpc-peer.ts";

/** What the plugin made of a request: its input document (JSON text), its refusal, or that it could not read it. */
export type PluginAnswer =
  | { readonly kind: "input"; readonly json: string }
  | { readonly kind: "malformed"; readonly detail: string }
  | { readonly kind: "unreadable" }
  | { readonly kind: "error"; readonly code: number; readonly details: string };

export interface OpaEnvoyPlugin {
  /** `unix:/path` of its listener. */
  readonly address: string;
  ask(request: Uint8Array): Promise<PluginAnswer>;
  stop(): Promise<void>;
}

/** Why the oracle cannot run here; undefined when it can. */
export function pluginMissing(): string | undefined {
  return process.env["OPA_ENVOY_PLUGIN"] ? undefined : "OPA_ENVOY_PLUGIN does not name an opa-envoy-plugin binary";
}

/** Starts the plugin with a policy of test/vectors; `descriptor` is a serialized FileDescriptorSet. */
export async function startPlugin(descriptor?: Uint8Array, policy = "echo.rego"): Promise<OpaEnvoyPlugin> {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-plugin-"));
  const socket = join(folder, "plugin.sock");
  const settings = [`addr=unix://${socket}`, "path=envoy/authz/allow"];
  if (descriptor !== undefined) {
    writeFileSync(join(folder, "set.pb"), descriptor);
    settings.push(`proto-descriptor=${join(folder, "set.pb")}`);
  }
  const child = spawn(
    process.env["OPA_ENVOY_PLUGIN"] ?? "",
    [
      ...["run", "--server", "--addr=127.0.0.1:0", "--log-level=info", "--skip-version-check"],
      ...settings.flatMap((setting) => ["--set", `plugins.envoy_ext_authz_grpc.${setting}`]),
      join(packageRoot(), "test/vectors", policy),
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let log = "";
    child.once("error", reject);
    child.once("close", () => reject(new Error(`the plugin ended: ${log}`)));
    const read = (chunk: Buffer): void => {
      log = (log + chunk.toString()).slice(-4000);
      if (log.includes("Starting gRPC server")) resolve();
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
  });
  const peer = createGrpcPeer(`unix:${socket}`);
  return {
    address: `unix:${socket}`,
    async ask(request) {
      const end = await peer.call("/envoy.service.auth.v3.Authorization/Check", request, { deadlineMs: 20_000 });
      if (!("bytes" in end)) {
        return end.code === 13 ? { kind: "unreadable" } : { kind: "error", code: end.code, details: end.details };
      }
      const denied = decodeCheckResponse(end.bytes).denied_response;
      const body = denied?.body ?? "";
      if (denied?.status?.code === 400) return { kind: "malformed", detail: body.replace("request_parse_error: ", "") };
      return { kind: "input", json: body };
    },
    async stop() {
      peer.close();
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}
