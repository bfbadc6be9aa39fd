/* consumer.mjs - a durable JetStream pull consumer on the npm client: explicit acks, dedup by id, ajv.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * node consumer.mjs URL STREAM DURABLE SCHEMA OUTPUT [--stop-after N] [--nak-every N]
 *
 * Takes what the stream holds for this durable until nothing is left, acknowledges each message, and writes its
 * place in the stream and its payload to OUTPUT, a line each.  With
 * --nak-every N each Nth message is handed back at its first delivery, so that it comes again; with
 * --stop-after N it ends early, and the next run goes on after what was acknowledged.  Prints one JSON
 * object of counts; the exit status is 1 when an event breaks the schema or a header its rule. */
import { createWriteStream, readFileSync } from "node:fs";
import { once } from "node:events";
import Ajv from "ajv";
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const [url, stream, durable, schemaFile, outputFile, ...options] = process.argv.slice(2);
const option = (name) => Number(options[options.indexOf(name) + 1] * options.includes(name));
const stopAfter = option("--stop-after"), nakEvery = option("--nak-every");
const SUBJECT = "activity.kaizen.metrics.recorded";

const validate = new Ajv({ allErrors: true }).compile(JSON.parse(readFileSync(schemaFile, "utf8")));
const counts = { received: 0, redelivered: 0, handed_back: 0, distinct: 0, valid: 0, repeated: 0,
                 changed_repeats: 0, wrong_headers: 0, acknowledged: 0 };
const seen = new Map(); /* id -> payload */
const output = createWriteStream(outputFile);

function judge(message) {
  const payload = Buffer.from(message.data).toString("utf8");
  const event = JSON.parse(payload);
  if (message.subject !== SUBJECT || message.headers?.get("Nats-Msg-Id") !== event.id ||
      [...message.headers.keys()].length !== 1) {
    counts.wrong_headers++;
  }
  if (validate(event)) counts.valid++;
  else console.error(`${event.id}: ${JSON.stringify(validate.errors)}`);
  output.write(`${message.seq} ${payload}\n`);
  if (seen.has(event.id)) {
    counts.repeated++;
    counts.changed_repeats += seen.get(event.id) !== payload;
    return;
  }
  seen.set(event.id, payload);
}

const connection = await connect({ servers: url.replace(/^nats:\/\//, ""), name: "consumer.mjs" });
const manager = await jetstreamManager(connection);
await manager.consumers.add(stream, {
  durable_name: durable, ack_policy: AckPolicy.Explicit, deliver_policy: DeliverPolicy.All,
  filter_subject: SUBJECT, max_ack_pending: 1000,
});
const consumer = await jetstream(connection).consumers.get(stream, durable);

let left = (await consumer.info()).num_pending;
while (left > 0 && !(stopAfter && counts.acknowledged >= stopAfter)) {
  /* no more than there are, so that none is waited for; half of `expires` without a heartbeat is an error */
  const wanted = Math.min(left, stopAfter ? Math.min(100, stopAfter) : 500);
  const batch = await consumer.fetch({ max_messages: wanted, expires: 60000 });
  for await (const message of batch) {
    counts.received++;
    counts.redelivered += message.redelivered;
    if (nakEvery && !message.redelivered && counts.received % nakEvery === 0) {
      counts.handed_back++;
      message.nak();
      continue;
    }
    judge(message);
    if (await message.ackAck()) counts.acknowledged++;
  }
  const info = await consumer.info();
  left = info.num_pending + info.num_ack_pending;
}
counts.distinct = seen.size;
await connection.close();
output.end();
await once(output, "finish");
console.log(JSON.stringify(counts));
process.exitCode = counts.valid === counts.received - counts.handed_back && counts.wrong_headers === 0 &&
  counts.changed_repeats === 0 ? 0 : 1;
