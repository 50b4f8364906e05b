import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import { auditSchema, metricsPage, withFieldTables } from "../../support/telemetry-docs.ts";

const read = (name: string): string => readFileSync(join(packageRoot(), "docs", name), "utf8");
const rewrite = "the page differs from its table: run `npm run build && node dist/test/support/write-docs.js`";

it("docs/metrics.md is what the catalogue says", () => assert.equal(read("metrics.md"), metricsPage(), rewrite));

it("docs/audit-event.schema.json is what the table of fields says", () => {
  assert.equal(read("audit-event.schema.json"), auditSchema(), rewrite);
});

it("docs/audit-event.md holds the table of fields", () => {
  const page = read("audit-event.md");
  assert.equal(page, withFieldTables(page), rewrite);
  assert.equal(page.match(/<!-- fields of (decision|gap) -->\n\| field /g)?.length, 2);
});
