// The one word that the compiler's process and its parent share beside the lines.

/** Exit status of a child that found no compiler it may run; its stderr is the sentence that says why. */
export const STATUS_NO_COMPILER = 3;
