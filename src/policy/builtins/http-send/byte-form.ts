// Text of policies as it stands in a message of HTTP: a string with one character (U+0000–U+00FF) for each byte, which is what
// Node takes and gives for request lines and headers. Bytes that are no UTF-8 go out and come in as they are; see value/bytes.ts.

import { fromBytes, toBytes } from "../../value/bytes.ts";

/** The bytes of a policy's text, one character each. */
export const toByteForm = (text: string): string => toBytes(text).toString("latin1");

/** The text of such bytes. */
export const fromByteForm = (byteForm: string): string => fromBytes(Buffer.from(byteForm, "latin1"));
