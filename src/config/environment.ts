// `${NAME}` in the configuration file and in `--set` → the environment variable, as OPA does it (internal/config, subEnvVars):
// in the text, before YAML is read; up to the first `}` of the line; what is not set stays as it is written, and is reported.

/** Text with its variables put in. */
export interface Substituted {
  readonly text: string;
  /** Where a place of the new text comes from in the old one. */
  toOriginal(offset: number): number;
  /** Names that the environment does not have, each once. */
  readonly unset: readonly string[];
}

/** One variable: where it stood and where its value stands. */
interface Replacement {
  readonly from: number;
  readonly fromEnd: number;
  readonly to: number;
  readonly toEnd: number;
}

/** Replaces every `${NAME}` that `env` has; `${}` becomes nothing, as in OPA. */
export function substituteEnvironment(text: string, env: Readonly<Record<string, string | undefined>>): Substituted {
  const replaced: Replacement[] = [];
  const unset = new Set<string>();
  let result = "";
  let end = 0;
  for (const { 0: whole, 1: name = "", index } of text.matchAll(/\$\{([^}\n]*)\}/g)) {
    const value = name === "" ? "" : Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) {
      unset.add(name);
      continue;
    }
    result += text.slice(end, index);
    end = index + whole.length;
    replaced.push({ from: index, fromEnd: end, to: result.length, toEnd: result.length + value.length });
    result += value;
  }
  result += text.slice(end);
  return { text: result, unset: [...unset], toOriginal: (offset) => originalOffset(replaced, offset) };
}

function originalOffset(replaced: readonly Replacement[], offset: number): number {
  const last = replaced.findLast(({ to }) => to <= offset);
  if (last === undefined) return offset;
  return offset < last.toEnd ? last.from : last.fromEnd + (offset - last.toEnd);
}
