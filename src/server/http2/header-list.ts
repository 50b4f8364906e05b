// What HPACK decodes to and what goes into it: header lines as octets, one character each (latin1), for HTTP/2 does not say that
// they are text. SPEC: RFC 9113 §8.2, RFC 7541 §1.3.

/** One line. Names come as they were sent: whether they are well-formed is judged elsewhere. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/**
 * A decoded header block. INVARIANT: a block that is sent again, against a table that has not changed meanwhile, gives the same object, so that what
 * was made of it can be kept beside it. Nobody changes it.
 */
export interface HeaderList {
  readonly fields: readonly HeaderField[];
  /** Size as SETTINGS_MAX_HEADER_LIST_SIZE counts it: octets of names and values, and 32 for each line. */
  readonly bytes: number;
}
