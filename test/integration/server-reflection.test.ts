import assert from "node:assert/strict";
import { it } from "node:test";
import { status } from "../../src/base/grpc.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { loadReflection } from "../../src/server/reflection.ts";
import { echo, openTestServer, type TestServer } from "../support/open-check-server.ts";

// ServerReflectionRequest: list_services = 7, file_containing_symbol = 4.
const text = (field: number, value: string): Buffer =>
  Buffer.concat([Buffer.from([(field << 3) | 2, value.length]), Buffer.from(value)]);
const LIST = text(7, "*");

/** One request on a reflection stream; the answer's bytes, or the status that ended it. */
function ask({ connect }: TestServer, version: string, message: Buffer): Promise<Buffer | number> {
  const bytes = (value: Buffer): Buffer => value;
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  return new Promise((resolve) => {
    const stream = connect().client.makeBidiStreamRequest(path, bytes, bytes);
    stream.on("error", (error: { code?: number }) => resolve(error.code ?? -1));
    stream.on("data", (answer: Buffer) => {
      resolve(answer);
      stream.end();
    });
    stream.write(message);
  });
}

it("is off unless it was asked for", async (t) => {
  const world = await openTestServer(t, echo);
  assert.equal(await ask(world, "v1", LIST), status.UNIMPLEMENTED);
});

for (const version of ["v1", "v1alpha"]) {
  it(`lists the services and gives their definitions in ${version}`, async (t) => {
    const world = await openTestServer(t, echo, { addServices: await loadReflection() });
    const listed = await ask(world, version, LIST);
    assert.ok(Buffer.isBuffer(listed), `status ${listed}`);
    for (const name of ["envoy.service.auth.v3.Authorization", "grpc.health.v1.Health"])
      assert.ok(listed.includes(name), name);
    const file = await ask(world, version, text(4, "envoy.service.auth.v3.Authorization"));
    assert.ok(Buffer.isBuffer(file));
    for (const name of ["CheckRequest", "CheckResponse", "AttributeContext"]) assert.ok(file.includes(name), name);
    const unknown = await ask(world, version, text(4, "no.such.Service"));
    assert.ok(Buffer.isBuffer(unknown) && unknown.includes("Symbol not found"));
    const request = Buffer.from([0x0a, 0x00]);
    assert.deepEqual(await world.connect().call(CHECK_PATH, request), { bytes: request });
  });
}
