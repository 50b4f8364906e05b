// Workload attributes as the configuration asks for them: templates, claims and metadata, which stay as they are, and data documents,
// which follow their files. What is wrong with any of it keeps svidgate from starting; later, the last good documents stay.

import { parseAttributeTemplate } from "../attribute-template.ts";
import { type AttributeOptions, type AttributeSource, createAttributeSource } from "../attributes.ts";
import { type DocumentFileStatus, type DocumentFilesPorts, startDocumentFiles } from "./attribute-documents.ts";

/** The settings of `svidgate.identity.attributes`. */
export interface AttributeSettings {
  /** As written; see `parseAttributeTemplate`. */
  readonly attributeTemplates: readonly string[];
  readonly attributeFiles: readonly string[];
  /** Path of a public key; with it, each file needs its signature. */
  readonly attributePublicKey: string | undefined;
  readonly attributeClaims: readonly string[];
  readonly attributeMetadata: AttributeOptions["metadata"];
}

/** Attributes at work. */
export interface AttributeFiles {
  readonly source: AttributeSource;
  /** Resolves when each file was read once; any `problems` are then a reason not to start. Never rejects. */
  readonly ready: Promise<void>;
  /** Reads every file now; resolves when that is done. */
  reload(): Promise<void>;
  status(): AttributeStatus;
  close(): void;
}

/** What is in force. */
export interface AttributeStatus {
  readonly files: readonly DocumentFileStatus[];
  /** What is wrong now, a sentence each. */
  readonly problems: readonly string[];
}

const MAX_CLAIM_CHARS = 256;

/** Starts what the settings ask for; undefined when that is nothing. */
export function startAttributes(settings: AttributeSettings, ports: DocumentFilesPorts): AttributeFiles | undefined {
  const { attributeTemplates, attributeFiles, attributePublicKey, attributeClaims, attributeMetadata } = settings;
  if (
    ![attributeTemplates, attributeFiles, attributeClaims].some(({ length }) => length > 0) &&
    attributeMetadata.size === 0
  )
    return undefined;
  const wrong: string[] = [];
  const templates = attributeTemplates.flatMap((text) => {
    const parsed = parseAttributeTemplate(text);
    if (parsed.ok) return [parsed.value];
    wrong.push(`svidgate.identity.attributes.templates: \`${text}\`: ${parsed.detail}`);
    return [];
  });
  for (const name of attributeClaims) {
    if (name === "" || name.length > MAX_CLAIM_CHARS)
      wrong.push(
        `svidgate.identity.attributes.jwt_claims: \`${name}\`: expected a claim's name of 1 to ${MAX_CLAIM_CHARS} characters`,
      );
  }
  const documents = startDocumentFiles({ files: attributeFiles, publicKey: attributePublicKey }, ports);
  return {
    source: createAttributeSource({ templates, documents, claims: attributeClaims, metadata: attributeMetadata }),
    ready: documents.ready.then(() => undefined),
    reload: async () => {
      await documents.reload();
    },
    status: () => {
      const files = documents.status();
      return { files, problems: [...wrong, ...files.flatMap(({ problem }) => problem ?? [])] };
    },
    close: documents.close,
  };
}
