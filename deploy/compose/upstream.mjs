// The service behind Envoy in docker-compose.yml: answers every request with what it got.
import { createServer } from "node:http";

createServer((request, reply) => {
  reply.writeHead(200, { "content-type": "text/plain" });
  reply.end(`${request.method} ${request.url} reached the service\n`);
}).listen(8080);

process.once("SIGTERM", () => process.exit(0));
