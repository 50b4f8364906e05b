// Finds fields of `input.identity` that the input does not have, in policies that are otherwise free to read any input: builds
// that are not strict. OPA's checker takes a schema of the whole input only, and an object with properties has no others for it, so the
// schema is opened for every name that the sources could mean. It does not compile.

import type { CompileError, SourceFile } from "./compiler/index.ts";

/** Whether any of the sources could read `input.identity`. */
export const mentionsIdentity = (files: readonly SourceFile[]): boolean =>
  files.some(({ text }) => /\bidentity\b/.test(text));

/**
 * JSON Schema of an input whose `identity` is as given, and anything else anything. A reference that is known before it runs is written
 * with an identifier or a string, so these, of all the sources, are all the names that can follow `input`.
 */
export function openInputSchema(files: readonly SourceFile[], identitySchema: unknown): unknown {
  const properties = new Map<string, unknown>();
  for (const { text } of files) {
    for (const [name] of text.matchAll(/[A-Za-z_]\w*/g)) properties.set(name, {});
    for (const [quoted] of text.matchAll(/"(?:[^"\\\n]|\\.)*"/g)) properties.set(unquote(quoted), {});
    for (const [, raw = ""] of text.matchAll(/`([^`]*)`/g)) properties.set(raw, {});
  }
  properties.set("identity", identitySchema);
  return { type: "object", properties: Object.fromEntries(properties) };
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(quoted);
  } catch {
    return quoted; // no string of Rego either
  }
}

/**
 * Those of the errors that an open schema brought about: fields of `input.identity`, by whatever name it goes. The sources
 * compile without a schema, so nothing else in them is undefined. Packages below `system` decide about other inputs.
 */
export function undefinedFields(
  errors: readonly CompileError[],
  files: readonly SourceFile[],
): readonly CompileError[] {
  const others = new Set(files.filter(({ text }) => /^\s*package\s+system\b/m.test(text)).map(({ path }) => path));
  return errors.filter(
    ({ code, message, file }) =>
      code === "rego_type_error" && message.startsWith("undefined ref: ") && !others.has(file ?? ""),
  );
}
