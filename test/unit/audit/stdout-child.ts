// Not a test: a process whose standard output is an audit trail, for sinks.test.ts. It records many events, waits for them as long
// as it is told, and says on stderr how far it came.
import { createAudit } from "../../../src/audit/audit.ts";
import { createStdoutSink } from "../../../src/audit/sinks.ts";
import { systemClock } from "../../../src/base/clock.ts";

const [events = "0", timeoutMs = "0"] = process.argv.slice(2);
const audit = createAudit({
  sink: createStdoutSink(),
  clock: systemClock,
  pdpId: "p1",
  pdpVersion: "0.1.0",
  path: "full",
  maxBytes: 400_000,
  onLost: () => undefined,
  onSinkError: () => undefined,
});
for (let i = 0; i < Number(events); i++) {
  audit.record({
    decisionId: `id-${i}`,
    outcome: "allow",
    reason: "policy_allowed",
    enforced: true,
    identitySource: "none",
    verifiedBy: "none",
    identityUs: 0,
    evaluationUs: 0,
    totalUs: 0,
  });
}
const complete = await audit.close(Number(timeoutMs));
process.stderr.write(JSON.stringify({ complete, ...audit.stats() }));
process.exit(0);
