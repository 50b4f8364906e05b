// gRPC server reflection, v1 and v1alpha, by @grpc/reflection: which services there are and their messages, from proto/.
// Off unless configured, as in opa-envoy-plugin. Nothing here decides; what it shows is published in the package anyway.
// PERF: the package and the parser of .proto files are loaded only when asked for.

import { loadProto, type Server } from "../base/grpc.ts";

const FILES = ["envoy/service/auth/v3/external_auth.proto", "grpc/health/v1/health.proto"] as const;

/** The methods of both versions. */
export const REFLECTION_PATHS = ["v1", "v1alpha"].map(
  (version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
);

/** Reads the definitions and gives what adds both versions of the service to a server. */
export async function loadReflection(): Promise<(server: Server) => void> {
  const { ReflectionService } = await import("@grpc/reflection");
  const reflection = new ReflectionService(await loadProto(...FILES));
  return (server) => reflection.addToServer(server);
}
