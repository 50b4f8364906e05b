import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mentionsIdentity, openInputSchema, undefinedFields } from "../../../src/policy/identity-fields.ts";

const files = (...texts: string[]) => texts.map((text, index) => ({ path: `${index}.rego`, text }));

it("looks for the word, whole", () => {
  assert.ok(mentionsIdentity(files("package a", "allow if input.identity.x")));
  assert.ok(mentionsIdentity(files('input["identity"]')));
  assert.equal(mentionsIdentity(files("input.identities", "my_identity")), false);
});

it("opens the schema for every name that the sources could mean", () => {
  const identity = { type: "object" };
  const schema = openInputSchema(
    files('import input.user as u\nx := input["with space"][`raw`].y\nz := "\\u0061b" # "not closed', "__proto__ := 1"),
    identity,
  ) as { properties: Record<string, unknown> };
  for (const name of ["user", "u", "with space", "raw", "y", "ab", "__proto__"])
    assert.ok(Object.hasOwn(schema.properties, name), name);
  assert.deepEqual(schema.properties["identity"], identity);
});

describe("undefinedFields", () => {
  const error = (message: string, file = "0.rego", code = "rego_type_error") => ({ code, message, file });
  const sources = files("package envoy.authz", "# comment\n  package system.log", "package system_x\n");

  it("keeps what is undefined, and nothing else that a schema finds", () => {
    const wrong = error("undefined ref: input.identity.spifeid");
    const others = [
      error("match error"),
      error("undefined function x"),
      error("undefined ref: x", "0.rego", "rego_other"),
    ];
    assert.deepEqual(undefinedFields([wrong, ...others], sources), [wrong]);
  });

  it("leaves out packages below system, and no others", () => {
    const of = (file: string) => undefinedFields([error("undefined ref: x", file)], sources).length;
    assert.deepEqual([of("0.rego"), of("1.rego"), of("2.rego")], [1, 0, 1]);
  });
});
