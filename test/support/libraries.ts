// What is not run on the libraries alone (`npm run test:grpc-js`), each with the reason. test/run.js leaves the files out, `runsOnStack`
// the tests; test/integration/stack.test.ts sees that nothing here is out of date.

/** One file of test/integration, or one test in it. */
export interface OwnPartsOnly {
  readonly file: string;
  /** The test's name, or what it is made from, as it stands in its table; absent for the whole file. */
  readonly test?: string;
  readonly why: string;
}

const FRAMES = "writes frames to svidgate's own HTTP/2 server and expects its limits and counts";

const EDGES =
  "protobuf's edges, which no Envoy writes: protobufjs throws for an entry without a value, and does not look at wire types";
const PRINT = "opa-wasm hands over JavaScript's values: sets are lists, and what is undefined is gone";

/** The table. */
export const OWN_PARTS_ONLY: readonly OwnPartsOnly[] = [
  { file: "http2-abuse", why: FRAMES },
  { file: "http2-conformance", why: FRAMES },
  { file: "http2-grpc", why: FRAMES },
  { file: "http2-headers", why: FRAMES },
  { file: "http2-stalls", why: FRAMES },
  { file: "serve-limits", why: "limits that grpc-js does not have, on the running program" },
  {
    file: "decision-vectors",
    test: "d_status_float",
    why: "opa-wasm makes doubles of numbers: what the policy wrote as 403.0 comes out as 403",
  },
  {
    file: "attacks-check",
    test: "a number that is no double in metadata",
    why: "opa-wasm makes doubles of numbers: 1e309 is Infinity, and null in its JSON",
  },
  { file: "generated-input", test: "messages", why: EDGES },
  { file: "generated-input", test: "damaged messages", why: EDGES },
  { file: "policy-print", test: "go to the log of serve at debug", why: PRINT },
  {
    file: "policy-print",
    test: "decide nothing: the answer is the same with and without a listener",
    why: PRINT,
  },
  {
    file: "http-send",
    test: "asks 64 times and no more",
    why: "opa-wasm begins with a new instance after each question: 64 of them take longer than the caller waits",
  },
  {
    file: "attacks-check",
    test: "310 levels",
    why: "measures the time of svidgate's own reader; protobufjs refuses messages that nest deeper than 100",
  },
];
