// read.mjs - reads what kaizen-host exports with the packages of CloudEvents and OpenTelemetry themselves.
//
// SPDX-License-Identifier: Apache-2.0
//
// Usage: node read.mjs cloudevents|otlp-json < EXPORT.  Prints one line a record; throws at what the packages refuse.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CloudEvent } from "cloudevents";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";

const lines = readFileSync(0, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));

function readCloudEvent(line) {
  const event = new CloudEvent(line); // validates against the specification's schema
  assert.equal(event.validate(), true);
  console.log(event.subject, event.id, new Date(event.time).toISOString(), event.data.success);
}

const valueOf = (value) => value.intValue !== undefined ? Number(value.intValue) : Object.values(value)[0];
const time = (nano) => [Number(BigInt(nano) / 1000000000n), Number(BigInt(nano) % 1000000000n)];
const attributesOf = (list) => Object.fromEntries(list.map((item) => [item.key, valueOf(item.value)]));

// OpenTelemetry's own serializer, given the span that a line describes, writes that line's span.
function readSpan(line) {
  const { resource, scopeSpans: [{ scope, spans: [span] }] } = line.resourceSpans[0];
  const written = JSON.parse(new TextDecoder().decode(JsonTraceSerializer.serializeRequest([{
    name: span.name, kind: span.kind - 1, spanContext: () => ({ traceId: span.traceId, spanId: span.spanId, traceFlags: 1 }),
    parentSpanContext: span.parentSpanId && { traceId: span.traceId, spanId: span.parentSpanId, traceFlags: 1 },
    startTime: time(span.startTimeUnixNano), endTime: time(span.endTimeUnixNano), status: span.status, ended: true,
    attributes: attributesOf(span.attributes), events: [], links: [], duration: [0, 0],
    droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0,
    resource: { attributes: attributesOf(resource.attributes), getRawAttributes: () => [] }, instrumentationScope: scope,
  }])));
  const theirs = written.resourceSpans[0].scopeSpans[0].spans[0];
  for (const name of ["traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"])
    assert.equal(String(theirs[name]), String(span[name]), name);
  assert.equal(theirs.status.code, span.status.code);
  assert.deepEqual(attributesOf(theirs.attributes), attributesOf(span.attributes));
  console.log(span.name, span.spanId, span.status.code, span.attributes.length);
}

lines.forEach(process.argv[2] === "cloudevents" ? readCloudEvent : readSpan);
