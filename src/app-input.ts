// The options of the input document that need a file: read once at the start.

import type { Settings } from "./config/settings.ts";
import { loadProtoDescriptor } from "./policy/body/proto-descriptor.ts";
import type { InputOptions } from "./policy/input.ts";

/** Options, or what is wrong with the files that they name. */
export type ReadInputOptions =
  | { readonly ok: true; readonly options: InputOptions }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads `proto-descriptor`, if there is one. */
export async function toInputOptions(settings: Settings): Promise<ReadInputOptions> {
  const skipRequestBodyParse = settings.skipRequestBodyParse;
  if (settings.protoDescriptor === undefined) return { ok: true, options: { skipRequestBodyParse } };
  const descriptor = await loadProtoDescriptor(settings.protoDescriptor);
  if (!descriptor.ok) return { ok: false, problems: [`proto-descriptor: ${descriptor.detail ?? descriptor.code}`] };
  return { ok: true, options: { skipRequestBodyParse, protoDescriptor: descriptor.value } };
}
