// The request of `svidgate check`: from a file (CheckRequest as proto3 JSON or serialized), or described by flags.

import { encodeCheckRequest } from "../authz/check-request-json.ts";

/** A serialized CheckRequest, or what is wrong with what was given. */
export type CheckRequestBytes =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads a file: JSON when its first character is `{`, else the serialized message as it is. */
export function readCheckFile(file: string, content: Uint8Array): CheckRequestBytes {
  const text = Buffer.from(content).toString("utf8");
  if (!text.trimStart().startsWith("{")) return { ok: true, bytes: content };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, problems: [`${file}: not JSON: ${(error as Error).message}`] };
  }
  const encoded = encodeCheckRequest(json);
  if (encoded.ok) return { ok: true, bytes: encoded.value };
  return { ok: false, problems: [`${file}: not a CheckRequest: ${encoded.detail ?? encoded.code}`] };
}

/** Makes the request that Envoy would send for these flags. */
export function toCheckRequest(flags: ReadonlyMap<string, readonly string[]>): CheckRequestBytes {
  const one = (flag: string): string | undefined => flags.get(flag)?.[0];
  const path = one("path") ?? "/";
  const method = one("method") ?? "GET";
  const host = one("host") ?? "";
  const problems: string[] = [];
  const headers = new Map([
    [":method", method],
    [":path", path],
    ...(host === "" ? [] : [[":authority", host] as const]),
  ]);
  for (const line of flags.get("header") ?? []) {
    const cut = line.indexOf(":", 1);
    if (cut < 1) {
      problems.push(`--header: \`${line}\` is not valid: expected 'name: value'`);
      continue;
    }
    const name = line.slice(0, cut).toLowerCase();
    const value = line.slice(cut + 1).trim();
    // Envoy joins the lines of one header with a comma.
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
  }
  if (problems.length > 0) return { ok: false, problems };
  const body = one("body");
  const principal = one("principal");
  const destination = one("destination");
  const request = {
    attributes: {
      source: principal === undefined ? {} : { principal },
      destination: destination === undefined ? {} : { principal: destination },
      request: {
        http: {
          method,
          path,
          host,
          headers: Object.fromEntries(headers),
          scheme: "https",
          protocol: "HTTP/1.1",
          ...(body && { body }),
        },
      },
    },
  };
  const encoded = encodeCheckRequest(request);
  if (encoded.ok) return { ok: true, bytes: encoded.value };
  return { ok: false, problems: [encoded.detail ?? encoded.code] };
}
