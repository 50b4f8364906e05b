// The one error of the value readers, in a file of its own because numbers and texts both throw it.

/** The text is no Rego value, or nests deeper than a reader follows. */
export class ValueSyntaxError extends Error {
  override readonly name = "ValueSyntaxError";
}
