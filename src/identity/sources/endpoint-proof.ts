// What a bundle endpoint is held against, read for each attempt: roots of the web, or the newest bundle of its own trust domain.
// SPEC: SPIFFE Federation §5.2.1.4, §5.2.2.4: at first an https_spiffe endpoint is verified with a configured bundle.

import { hash, X509Certificate } from "node:crypto";
import { decodePem } from "../certificate.ts";
import { parseSpiffeId } from "../spiffe-id.ts";
import { MAX_BUNDLE_BYTES, parseTrustBundle } from "../trust-bundle.ts";
import type { HeldBundle, TrustBundleSource } from "../trust-bundles.ts";
import { describeBundleFault } from "./bundle-problem.ts";
import type { ServerProof } from "./endpoint-connection.ts";
import { readBounded } from "./watched-file.ts";

/** Who must serve a bundle. */
export type EndpointProfile =
  /** `caFile`: PEM roots, read at each attempt; without it, the roots of Node and the system. */
  | { readonly name: "https_web"; readonly caFile?: string | undefined }
  /** `bootstrapFile`: a bundle of the endpoint ID's trust domain, for as long as the store has none. */
  | { readonly name: "https_spiffe"; readonly endpointSpiffeId: string; readonly bootstrapFile?: string | undefined };

/** The proof, or why there is none, for people. */
export type LoadedProof =
  | {
      readonly ok: true;
      readonly proof: ServerProof;
      /** Of the first bundle, where that is what the server is believed by. */
      readonly bootstrapSha256?: string;
    }
  | { readonly ok: false; readonly detail: string };

const MAX_CA_BYTES = 4 * 1024 * 1024;

/** Reads what the profile needs now. */
export const loadProof = (
  profile: EndpointProfile,
  bundles: TrustBundleSource,
  nowUnixMs: number,
): Promise<LoadedProof> =>
  profile.name === "https_web" ? loadWebProof(profile.caFile) : loadSpiffeProof(profile, bundles, nowUnixMs);

/** SHA-256 of the first bundle as it is now, lower-case hex; undefined when there is none or it cannot be read. */
export async function loadBootstrapSha256(profile: EndpointProfile): Promise<string | undefined> {
  if (profile.name !== "https_spiffe" || profile.bootstrapFile === undefined) return undefined;
  const read = await readBounded(profile.bootstrapFile, MAX_BUNDLE_BYTES);
  return read.ok ? hash("sha256", read.value.bytes) : undefined;
}

const no = (detail: string): LoadedProof => ({ ok: false, detail });

async function loadWebProof(caFile: string | undefined): Promise<LoadedProof> {
  if (caFile === undefined) return { ok: true, proof: { profile: "https_web", caPem: undefined } };
  const read = await readBounded(caFile, MAX_CA_BYTES);
  if (!read.ok) return no(`\`bundle_ca\` \`${caFile}\`: ${read.detail ?? read.code}`);
  const caPem = read.value.bytes.toString("latin1");
  // SECURITY: Node takes an empty `ca` for none given, and would then trust every public authority.
  const parsed = decodePem(caPem);
  return parsed.ok && parsed.value.every(isCertificate)
    ? { ok: true, proof: { profile: "https_web", caPem } }
    : no(`\`bundle_ca\` \`${caFile}\`: it holds what is no certificate: list root certificates in PEM`);
}

/** OpenSSL leaves out what it cannot read without a word. */
function isCertificate(der: Uint8Array): boolean {
  try {
    return new X509Certificate(der).raw.length > 0;
  } catch {
    return false;
  }
}

async function loadSpiffeProof(
  { endpointSpiffeId, bootstrapFile }: Extract<EndpointProfile, { name: "https_spiffe" }>,
  bundles: TrustBundleSource,
  nowUnixMs: number,
): Promise<LoadedProof> {
  const parsedId = parseSpiffeId(endpointSpiffeId);
  if (!parsedId.ok) return no(`\`bundle_endpoint_spiffe_id\` is no SPIFFE ID (${parsedId.code})`);
  const id = parsedId.value;
  const { trustDomain } = id;
  if (bootstrapFile === undefined || bundles.find(trustDomain) !== undefined) {
    return { ok: true, proof: { profile: "https_spiffe", id, bundles } };
  }
  const read = await readBounded(bootstrapFile, MAX_BUNDLE_BYTES);
  if (!read.ok) return no(`\`bundle_bootstrap\` \`${bootstrapFile}\`: ${read.detail ?? read.code}`);
  const { bytes } = read.value;
  const parsed = parseTrustBundle(bytes, { trustDomain });
  if (!parsed.ok) return no(`\`bundle_bootstrap\` \`${bootstrapFile}\`: ${describeBundleFault(parsed)}`);
  const first: HeldBundle = { bundle: parsed.value, generation: 0, source: "file", lastSuccessUnixMs: nowUnixMs };
  // The store goes first even here: another source may have filled it meanwhile.
  const withFirst: TrustBundleSource = {
    find: (name) => bundles.find(name) ?? (name === trustDomain ? first : undefined),
  };
  return {
    ok: true,
    proof: { profile: "https_spiffe", id, bundles: withFirst },
    bootstrapSha256: hash("sha256", bytes),
  };
}
