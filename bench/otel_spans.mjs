// otel_spans.mjs - a span for each run, by the OpenTelemetry SDK, to a collector stub on the loopback.
//
// SPDX-License-Identifier: Apache-2.0
//
// Usage: node otel_spans.mjs MODULES SPANS     prints the seconds that SPANS spans took, sent included
//   MODULES: a folder below which npm installed @opentelemetry/sdk-trace-node and
//            @opentelemetry/exporter-trace-otlp-http
// The stub is a process of its own that reads each request and answers 200.
import { fork } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import path from "node:path";

const self = fileURLToPath(import.meta.url);

if (process.argv[2] === "--stub") {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end("{}"));
  });
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
  process.on("disconnect", () => process.exit(0));
} else {
  const [modules, count] = [process.argv[2], Number(process.argv[3])];
  const require = createRequire(path.join(path.resolve(modules), "here.js"));
  const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
  const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
  const stub = fork(self, ["--stub"]);
  const port = await new Promise((resolve) => stub.once("message", resolve));
  const url = `http://127.0.0.1:${port}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, concurrencyLimit: count });
  const processor = new BatchSpanProcessor(exporter, { maxQueueSize: count + 1 }); // none is dropped
  const provider = new NodeTracerProvider({ spanProcessors: [processor] });
  const tracer = provider.getTracer("bench");

  const begin = process.hrtime.bigint();
  for (let i = 0; i < count; i++) {
    const span = tracer.startSpan("run");
    span.setAttributes({ agent: "bench", success: true, quality_score: 0.9, idempotency_key: `o-${i}` });
    span.end();
  }
  await provider.forceFlush();
  console.log(Number(process.hrtime.bigint() - begin) / 1e9);
  await provider.shutdown();
  stub.disconnect();
}
