import assert from "node:assert/strict";
import { it } from "node:test";
import { substituteEnvironment } from "../../../src/config/environment.ts";

const env = { NAME: "value", EMPTY: "", LINES: "a\nb", BRACE: "x}y", "with space": "s", N1_x: "n" };

// Expected texts are OPA 1.22's own (internal/config, subEnvVars and its tests).
const cases = [
  ["${NAME}", "value"],
  ["a: ${NAME}\nb: ${NAME}", "a: value\nb: value"],
  ["${MISSING}", "${MISSING}"],
  ["${EMPTY}", ""],
  ["${}", ""],
  ["$NAME and $(NAME)", "$NAME and $(NAME)"],
  ["${name}", "${name}"],
  ["${with space}", "s"],
  ["${NAME", "${NAME"],
  ["${NA\nME}", "${NA\nME}"],
  ["${BRACE}", "x}y"],
  ["${NAME}}", "value}"],
  ["$${NAME}", "$value"],
  ["${${NAME}}", "${${NAME}}"],
  ["${toString}${__proto__}", "${toString}${__proto__}"],
  ["# ${NAME} in a comment", "# value in a comment"],
] as const;
for (const [text, want] of cases) {
  it(`makes ${JSON.stringify(text)} into ${JSON.stringify(want)}`, () => {
    assert.equal(substituteEnvironment(text, env).text, want);
  });
}

it("names each variable that is not set once", () => {
  assert.deepEqual(substituteEnvironment("${A}${B}${A}${NAME}", env).unset, ["A", "B"]);
});

it("knows for every place of the new text where it comes from", () => {
  const text = "x ${NAME} y ${LINES} z";
  const { text: replaced, toOriginal } = substituteEnvironment(text, env);
  for (const letter of ["x", "y", "z"]) {
    assert.equal(toOriginal(replaced.lastIndexOf(letter)), text.lastIndexOf(letter));
  }
  assert.equal(toOriginal(replaced.indexOf("value") + 3), text.indexOf("${NAME}"));
  assert.equal(toOriginal(replaced.indexOf("\n")), text.indexOf("${LINES}"));
  assert.equal(toOriginal(replaced.length), text.length);
});
