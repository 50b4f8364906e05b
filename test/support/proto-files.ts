// Reads the shipped `.proto` files as far as their own plain style needs: messages, fields, oneofs, maps, enums.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";

/** A field as it is declared; `type` is written as in the file, a map's is its value's. */
export interface ProtoField {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly cardinality: "one" | "list" | "map";
  readonly oneof: string | undefined;
}

/** The fields of every message, and the values of every enum, by full name. */
export interface ProtoFiles {
  readonly messages: ReadonlyMap<string, readonly ProtoField[]>;
  readonly enums: ReadonlyMap<string, Readonly<Record<string, number>>>;
}

const FIELD = /^(?:(repeated) |map<string, ([\w.]+)> |)?(?:([\w.]+) )?(\w+) = (\d+)(?: \[.*\])?;$/;

/** Reads every file under `proto/`. Throws for a line that it does not understand. */
export function readProtoFiles(): ProtoFiles {
  const messages = new Map<string, ProtoField[]>();
  const enums = new Map<string, Record<string, number>>();
  const folder = join(packageRoot(), "proto");
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".proto"),
  )) {
    const scopes: { kind: string; name: string }[] = [];
    for (const raw of readFileSync(join(folder, file), "utf8").split("\n")) {
      const line = raw.replace(/\/\/.*$/, "").trim();
      const opens = /^(message|enum|oneof|service) (\w+) \{(\})?$/.exec(line);
      const scopeName = scopes
        .filter(({ kind }) => kind !== "oneof")
        .map(({ name }) => name)
        .join(".");
      if (line.startsWith("package ")) scopes.push({ kind: "package", name: line.slice(8, -1) });
      else if (opens !== null) {
        const [, kind = "", name = "", closed] = opens;
        if (kind === "message") messages.set(`${scopeName}.${name}`, []);
        if (kind === "enum") enums.set(`${scopeName}.${name}`, {});
        if (closed === undefined) scopes.push({ kind, name });
      } else if (line === "}") scopes.pop();
      else if (line === "" || /^(?:syntax|import|rpc) /.test(line)) continue;
      else {
        const [, repeated, mapped, type = mapped ?? "", name = "", number = ""] = FIELD.exec(line) ?? [];
        const inner = scopes.at(-1);
        if (name === "" || inner === undefined) throw new Error(`${file}: not understood: ${line}`);
        const values = inner.kind === "enum" ? enums.get(scopeName) : undefined;
        if (values !== undefined) values[name] = Number(number);
        else {
          const cardinality = mapped !== undefined ? "map" : repeated !== undefined ? "list" : "one";
          const oneof = inner.kind === "oneof" ? inner.name : undefined;
          messages.get(scopeName)?.push({ number: Number(number), name, type, cardinality, oneof });
        }
      }
    }
  }
  return { messages, enums };
}
