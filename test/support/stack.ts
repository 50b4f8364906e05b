// Which parts the integration tests run: svidgate's own, which are the default of the product, or, with
// SVIDGATE_TEST_STACK=libraries (`npm run test:grpc-js`), the libraries alone that these parts took the place of: the listener on
// @grpc/grpc-js, CheckRequests read by @grpc/proto-loader, policies run by @open-policy-agent/opa-wasm.

import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { readCheckRequest } from "../../src/authz/check-request.ts";
import type { ReadRequest } from "../../src/authz/request-view.ts";
import { OWN_PARTS_ONLY } from "./libraries.ts";

/** Whether these tests run on the libraries alone. */
export const ON_LIBRARIES: boolean = process.env["SVIDGATE_TEST_STACK"] === "libraries";

/** Whether a test runs on what is tested now: its file's name without `.test.ts`, and its own as in `libraries.ts`. */
export const runsOnStack = (file: string, test: string): boolean =>
  !ON_LIBRARIES || !OWN_PARTS_ONLY.some((entry) => entry.file === file && entry.test === test);

/** A test of such a name; nothing where it does not run. */
export function itOnStack(file: string, test: string, run: () => Promise<void>): void {
  if (runsOnStack(file, test)) it(test, run);
}

/** The program to start as a process of its own. */
export const MAIN: string = fileURLToPath(
  ON_LIBRARIES ? new URL("library-main.js", import.meta.url) : new URL("../../src/main.js", import.meta.url),
);

/** Variables for its environment, or for `loadConfig`. */
export const STACK_ENVIRONMENT: Readonly<Record<string, string>> = ON_LIBRARIES
  ? { SVIDGATE_LISTENER: "grpc-js", SVIDGATE_POLICY__ENGINE: "opa-wasm" }
  : {};

/** What runs policies. */
export const STACK_ENGINE: "native" | "opa-wasm" = ON_LIBRARIES ? "opa-wasm" : "native";

/** The reader of CheckRequests. */
export const stackReader: ReadRequest = ON_LIBRARIES
  ? (await import("./proto-loader-request.ts")).readByProtoLoader
  : readCheckRequest;
