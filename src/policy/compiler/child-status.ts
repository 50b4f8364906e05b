// The exit statuses of the compiler's process, which it shares with its parent.

/** There is no compiler that it may run: missing, damaged, or too large for the memory allowed. */
export const STATUS_NO_COMPILER = 3;

/** The thread that compiles ended on its own, for example for lack of heap. */
export const STATUS_CRASHED = 4;
