// The URIs in the text that node:crypto makes of subject alternative names: `DNS:a, URI:b, URI:"c\u002c d"`.
// It serves to compare node:crypto's reading with ours, nothing else; names are taken from the DER.
// SECURITY: a value with a comma, a quote or a control character comes as a JSON string (CVE-2021-44532), so a name cannot end its
// item and begin another; a text that reads otherwise has no URIs that anybody would agree on.

const ITEM = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;

/** The values of the `URI:` items, in order; undefined when the text is not a list of items. */
export function subjectUris(text: string): readonly string[] | undefined {
  const uris: string[] = [];
  ITEM.lastIndex = 0;
  while (ITEM.lastIndex < text.length) {
    const [, kind, value] = ITEM.exec(text) ?? [];
    if (kind === undefined || value === undefined) return undefined;
    if (kind === "URI") uris.push(value.startsWith('"') ? unquote(value) : value);
  }
  return uris;
}

function unquote(json: string): string {
  try {
    return String(JSON.parse(json));
  } catch {
    // Equal to no name that was read from DER.
    return json;
  }
}
