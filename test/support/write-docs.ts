// Writes the documentation that comes from tables: `npm run build && node dist/test/support/write-docs.js`.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";
import { toConfigurationPage } from "../../src/config/document.ts";
import { toConfigurationSchema } from "../../src/config/schema.ts";
import { capabilities } from "./capabilities.ts";
import { inputSchema } from "./input-schema.ts";
import { sbomText } from "./sbom.ts";
import { auditSchema, metricsPage, withFieldTables } from "./telemetry-docs.ts";

const docs = join(packageRoot(), "docs");
const auditPage = join(docs, "audit-event.md");
writeFileSync(join(docs, "configuration.md"), toConfigurationPage());
writeFileSync(join(docs, "configuration.schema.json"), toConfigurationSchema());
writeFileSync(join(docs, "metrics.md"), metricsPage());
writeFileSync(join(docs, "audit-event.schema.json"), auditSchema());
writeFileSync(auditPage, withFieldTables(readFileSync(auditPage, "utf8")));
writeFileSync(join(packageRoot(), "sbom.cdx.json"), sbomText());
writeFileSync(join(docs, "input.schema.json"), inputSchema());
writeFileSync(join(packageRoot(), "capabilities.json"), await capabilities());
