// Why a document is no trust bundle, as a sentence for whoever has to repair it.

import type { TrustBundleCode } from "../codes.ts";

const REASONS: Readonly<Record<TrustBundleCode, string>> = {
  too_large: "it is too large for a trust bundle",
  not_utf8: "its bytes are no UTF-8",
  json: "it is no JSON document that can be taken",
  duplicate_key: "a name stands twice in one object, so readers would take different documents",
  no_keys: "it has no list `keys`; only an empty list says that nothing is trusted any more",
  pem: "it holds no PEM certificate that may sign: give certificate authorities, or a SPIFFE bundle document",
  key: "it must not be used",
};

/** Without a final stop; `detail` is what the parser added. */
export function describeBundleFault({ code, detail }: { code: TrustBundleCode; detail?: string }): string {
  return detail === undefined ? REASONS[code] : `${REASONS[code]} (${detail})`;
}

/** What holds meanwhile. */
export const describeLastGood = (hasGood: boolean): string =>
  hasGood
    ? "the last good bundle stays in force"
    : "there is no bundle yet, so nothing of this trust domain is accepted";
