// Describes protobuf messages as tables, so that one reader, one writer and one JSON rule serve all of them.
// A table holds what the wire and proto3 JSON need and no more; the `.proto` files under `proto/` are the source,
// and a test compares the two.

import { WireType } from "./protobuf-wire.ts";

/** The kinds of value that our messages use. */
export const Kind = {
  string: 0,
  bytes: 1,
  bool: 2,
  uint32: 3,
  int32: 4,
  int64: 5,
  enum: 6,
  double: 7,
  message: 8,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** How often a field may stand: once, as a list, or as the entries of a map. */
export type Cardinality = "one" | "list" | "map";

/** One field. A map's `message` is its entry: key 1 (a string), value 2. */
export interface Field {
  readonly number: number;
  readonly name: string;
  /** The lowerCamelCase name of proto3 JSON. */
  readonly jsonName: string;
  readonly kind: Kind;
  readonly cardinality: Cardinality;
  readonly wireType: number;
  readonly message: MessageTable | undefined;
  /** The name of the oneof that it belongs to. */
  readonly oneof: string | undefined;
  /** For enums: number by name. */
  readonly values: Readonly<Record<string, number>> | undefined;
  /** One bit per singular field, shared by the members of a oneof, so that repetition is seen; 0 for lists and maps. */
  readonly presenceBit: number;
  /** Position in `MessageTable.fields`. */
  readonly index: number;
}

/** What `MessageTable.define` takes for one field. */
export interface FieldSpec {
  readonly number: number;
  readonly kind: Kind;
  readonly message?: MessageTable;
  readonly cardinality?: "list" | "map";
  readonly oneof?: string;
  readonly values?: Readonly<Record<string, number>>;
}

/** A message type: its full protobuf name and its fields. Created empty and defined once, so that types may recurse. */
export class MessageTable {
  readonly name: string;
  #fields: readonly Field[] = [];
  #byNumber: readonly (Field | undefined)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** The fields, in the order of their definition. */
  get fields(): readonly Field[] {
    return this.#fields;
  }

  /** The fields by number, with holes. */
  get byNumber(): readonly (Field | undefined)[] {
    return this.#byNumber;
  }

  /** Sets the fields by their proto names. At most 31 presence bits, so at most 31 singular fields or oneofs. */
  define(specs: Readonly<Record<string, FieldSpec>>): this {
    const bits = new Map<string, number>();
    const bitOf = (name: string): number => {
      const known = bits.get(name);
      if (known !== undefined) return known;
      const bit = 1 << bits.size;
      bits.set(name, bit);
      return bit;
    };
    const fields = Object.entries(specs).map(([name, spec], index): Field => {
      const cardinality = spec.cardinality ?? "one";
      return {
        number: spec.number,
        name,
        jsonName: name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
        kind: spec.kind,
        cardinality,
        wireType: wireTypeOf(spec.kind),
        message: spec.message,
        oneof: spec.oneof,
        values: spec.values,
        presenceBit: cardinality === "one" ? bitOf(spec.oneof ?? name) : 0,
        index,
      };
    });
    const byNumber: (Field | undefined)[] = [];
    for (const field of fields) byNumber[field.number] = field;
    this.#fields = fields;
    this.#byNumber = Array.from(byNumber);
    return this;
  }
}

function wireTypeOf(kind: Kind): number {
  if (kind === Kind.double) return WireType.fixed64;
  return kind === Kind.string || kind === Kind.bytes || kind === Kind.message ? WireType.bytes : WireType.varint;
}

/** The table of a `map<string, …>` entry. */
export function mapEntry(name: string, value: Omit<FieldSpec, "number">): MessageTable {
  return new MessageTable(name).define({ key: { number: 1, kind: Kind.string }, value: { ...value, number: 2 } });
}
