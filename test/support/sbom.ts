// The bill of materials of the package, CycloneDX 1.6: every npm package that an installation brings, by the lock file, and every Go
// module inside the two WASM modules (the Rego compiler, the Go builtins), by their go.mod. The same files give the same text: no serial number, no date.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";

interface LockEntry {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

interface Component {
  readonly "bom-ref": string;
  readonly type: "library";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly { readonly expression: string }[];
}

/** A CycloneDX document, as far as we write it. */
export interface Sbom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** A WASM module made of Go modules: its folder has `checksums.json`, which its build checks, and `go.mod`. */
interface WasmModule {
  readonly ref: string;
  readonly folder: string;
  readonly name: string;
}

const WASM_MODULES: readonly WasmModule[] = [
  { ref: "rego-compiler", folder: "compiler", name: "rego.wasm" },
  { ref: "go-builtins", folder: "go-builtins", name: "builtins.wasm" },
];

const read = (...path: readonly string[]): string => readFileSync(join(packageRoot(), ...path), "utf8");

const npmRef = (name: string, version: string): string => `pkg:npm/${name.replace("@", "%40")}@${version}`;

/** The package's name, which stands after the last `node_modules/` of its place. */
const nameOf = (place: string): string => place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);

/** `sbom.cdx.json`, whole. */
export function sbomText(): string {
  const lock = (JSON.parse(read("package-lock.json")) as { packages: Readonly<Record<string, LockEntry>> }).packages;
  const manifest = JSON.parse(read("package.json")) as { name: string; version: string; license: string };
  const installed = Object.entries(lock).filter(([place, entry]) => place !== "" && entry.dev !== true);
  const refOf = new Map(installed.map(([place, { version }]) => [place, npmRef(nameOf(place), version)]));
  /** Node's own search: the nearest `node_modules` upwards. */
  const resolve = (from: string, name: string): string[] => {
    for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1))) {
      const found = refOf.get(`${folder === "" ? "" : `${folder}/`}node_modules/${name}`);
      if (found !== undefined) return [found];
      if (folder === "") return [];
    }
  };
  const own = npmRef(manifest.name, manifest.version);
  const dependencies = new Map<string, string[]>([
    [
      own,
      [
        ...Object.keys(lock[""]?.dependencies ?? {}).flatMap((name) => resolve("", name)),
        ...WASM_MODULES.map(({ ref }) => ref),
      ],
    ],
    ...WASM_MODULES.map((module): [string, string[]] => [module.ref, goModules(module).map((go) => go["bom-ref"])]),
  ]);
  for (const [place, { dependencies: wanted = {} }] of installed) {
    const ref = refOf.get(place) ?? "";
    dependencies.set(ref, [...(dependencies.get(ref) ?? []), ...Object.keys(wanted).flatMap((n) => resolve(place, n))]);
  }
  const components = [
    ...installed.map(([place, entry]) => toNpmComponent(nameOf(place), entry)),
    ...WASM_MODULES.flatMap((module) => [toWasmComponent(module), ...goModules(module)]),
  ];
  const unique = new Map(components.map((component) => [component["bom-ref"], component]));
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        "bom-ref": own,
        type: "application",
        name: manifest.name,
        version: manifest.version,
        purl: own,
        licenses: [{ expression: manifest.license }],
      },
    },
    components: [...unique.values()].sort((a, b) => (a["bom-ref"] < b["bom-ref"] ? -1 : 1)),
    dependencies: [...dependencies]
      .map(([ref, dependsOn]) => ({ ref, dependsOn: [...new Set(dependsOn)].sort() }))
      .sort((a, b) => (a.ref < b.ref ? -1 : 1)),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function toNpmComponent(name: string, { version, integrity, license }: LockEntry): Component {
  const [algorithm, base64] = integrity?.split("-") ?? [];
  if (algorithm !== "sha512" || base64 === undefined || license === undefined) {
    throw new Error(`package-lock.json: ${name} has no SHA-512 hash or no license`);
  }
  const hash = { alg: "SHA-512", content: Buffer.from(base64, "base64").toString("hex") };
  const ref = npmRef(name, version);
  return {
    "bom-ref": ref,
    type: "library",
    name,
    version,
    purl: ref,
    hashes: [hash],
    licenses: [{ expression: license }],
  };
}

function toWasmComponent({ ref, folder, name }: WasmModule): Component {
  const { opa, wasm } = JSON.parse(read(folder, "checksums.json")) as { opa: string; wasm: { sha256: string } };
  return {
    "bom-ref": ref,
    type: "library",
    name,
    version: opa,
    purl: `pkg:generic/${name}@${opa}`,
    hashes: [{ alg: "SHA-256", content: wasm.sha256 }],
    licenses: [{ expression: "Apache-2.0" }],
  };
}

function goModules({ folder }: WasmModule): readonly Component[] {
  const { go } = JSON.parse(read(folder, "checksums.json")) as { go: string };
  const text = read(folder, "go.mod");
  const replaced = new Set([...text.matchAll(/^replace (\S+) =>/gm)].map(([, path]) => path));
  const required = [...text.matchAll(/^(?:require )?\s*([\w./-]+\.[\w./-]+) (v\S+)/gm)];
  const modules = required
    .map(([, path = "", version = ""]) => ({ path, version }))
    .filter(({ path }) => !replaced.has(path)); // by code of ours
  return [...modules, { path: "stdlib", version: go.replace(/^go/, "") }].map(({ path, version }) => {
    const ref = `pkg:golang/${path}@${version}`;
    return { "bom-ref": ref, type: "library", name: path, version, purl: ref };
  });
}
