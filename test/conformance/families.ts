// Sorts OPA's folders of cases into families of builtins, for the table that people read.

const FAMILIES: readonly (readonly [family: string, folders: RegExp])[] = [
  ["io.jwt", /^jwt/],
  ["x509, private keys", /^crypto(?:x509|parse)/],
  ["hashes, hmac", /^crypto/],
  ["net", /^net/],
  ["time", /^time$/],
  ["graphql", /^graphql$/],
  ["json schema, json.patch", /^json(?:schema|patch)$/],
  ["json, yaml, base64, hex, url, uri", /^(?:json|base64|hex|url|uri)/],
  ["regex, glob", /^(?:regex|glob)/],
  ["strings, sprintf, interpolation", /^(?:strings|sprintf|stringinterpolation|replacen|trim)/],
  [
    "objects, sets, arrays, graphs, walk",
    /^(?:object|sets|subset|union|intersection|array|walk|reachable|toset|toarray)/,
  ],
  ["numbers, bits, aggregates, casts", /^(?:aggregates|arithmetic|bits|casts|numbersrange|comparison|type|all$|any$)/],
  ["units, semver, uuid, rand", /^(?:units|semver|uuid|rand)/],
  ["rego.parse_module, templates, aws", /^(?:regoparsemodule|rendertemplate|providers)/],
];

/** The family of a folder; the language itself for everything that is not about one family of builtins. */
export const familyOf = (folder: string): string =>
  FAMILIES.find(([, folders]) => folders.test(folder))?.[0] ?? "language";
