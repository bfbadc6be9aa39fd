/* broker_findings.c - what was found out about a broker, and its report.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_findings.h"

#include <stdio.h>
#include <string.h>

#include "broker/stream_verdict.h"
#include "common/json_writer.h"

#define NS_PER_S INT64_C(1000000000)
#define SETTINGS "the stream's settings"

void broker_findings_add_unknown(struct broker_findings *findings, const char *what,
                                 const char *why) {
  if (findings->unknown_count == BROKER_FINDINGS_UNKNOWN_MAX)
    return;
  findings->unknown[findings->unknown_count].what = what;
  (void)snprintf(findings->unknown[findings->unknown_count++].why, sizeof findings->unknown[0].why,
                 "%s", why);
}

void broker_findings_add_stream(struct broker_findings *findings) {
  const struct broker_stream *stream = &findings->stream;
  char why[sizeof findings->unknown[0].why];

  switch (stream->state) {
  case BROKER_STREAM_UNKNOWN:
    broker_findings_add_unknown(findings, "the stream", stream_verdict_silence(stream));
    break;
  case BROKER_STREAM_LISTENED:
    broker_findings_add_unknown(findings, "the stream",
                                "what listens on the subject does not answer as a stream");
    break;
  case BROKER_STREAM_UNHEARD:
    broker_findings_add_unknown(findings, "JetStream", stream_verdict_silence(stream));
    break;
  case BROKER_STREAM_NAMED:
    broker_findings_add_unknown(findings, SETTINGS, stream_verdict_silence(stream));
    break;
  case BROKER_STREAM_BEYOND:
    broker_findings_add_unknown(findings, SETTINGS,
                                "it only answers on the subject: it belongs to another account or "
                                "server, or the subject is mapped, or this user may not ask");
    break;
  case BROKER_STREAM_KNOWN:
    if (stream->unread) {
      (void)snprintf(why, sizeof why, "its %s cannot be read", stream->unread);
      broker_findings_add_unknown(findings, SETTINGS, why);
    }
    if (stream->untold.len > 0) {
      (void)snprintf(why, sizeof why, "it does not tell %.*s", (int)stream->untold.len,
                     stream->untold.data);
      broker_findings_add_unknown(findings, SETTINGS, why);
    }
    break;
  case BROKER_STREAM_NO_JETSTREAM:
  case BROKER_STREAM_NONE:
    break;
  }
}

/* ---- the report ------------------------------------------------------------------------------ */

static void write_text(struct buffer *out, const char *name, const char *value) {
  buffer_append_text(out, name);
  json_writer_string(out, (struct span){value, strlen(value)});
}

static void write_known(struct buffer *out, const char *name, int64_t value, int64_t unit) {
  buffer_append_text(out, name);
  if (value < 0)
    buffer_append_text(out, "null");
  else if (value % unit == 0)
    json_writer_integer(out, value / unit);
  else
    json_writer_double(out, (double)value / (double)unit);
}

static const char *jetstream_of(const struct broker_stream *stream) {
  switch (stream->state) {
  case BROKER_STREAM_UNKNOWN:
  case BROKER_STREAM_UNHEARD:
  case BROKER_STREAM_LISTENED:
    return "null";
  case BROKER_STREAM_NO_JETSTREAM:
    return "false";
  default:
    return "true";
  }
}

static void write_unknown(const struct broker_findings *findings, struct buffer *out) {
  buffer_append_text(out, ",\"unknown\":[");
  for (size_t i = 0; i < findings->unknown_count; i++) {
    write_text(out, i > 0 ? ",{\"what\":" : "{\"what\":", findings->unknown[i].what);
    write_text(out, ",\"why\":", findings->unknown[i].why);
    buffer_append_byte(out, '}');
  }
  buffer_append_byte(out, ']');
}

void broker_findings_write(const struct broker_findings *findings, const char *shown_url,
                           struct buffer *out) {
  const struct broker_stream *stream = &findings->stream;
  bool known = stream->state == BROKER_STREAM_KNOWN;

  write_text(out, "{\"url\":", shown_url);
  buffer_append_text(out, findings->connected ? ",\"connected\":true" : ",\"connected\":false");
  write_text(out, ",\"server_version\":", findings->version);
  buffer_append_text(out, ",\"jetstream\":");
  buffer_append_text(out, jetstream_of(stream));
  write_text(out, ",\"stream\":", stream->name);
  buffer_append_text(out, ",\"subjects\":");
  if (stream->subjects.len > 0)
    buffer_append(out, stream->subjects.data, stream->subjects.len);
  else
    buffer_append_text(out, "[]");
  write_known(out, ",\"replicas\":", known ? stream->replicas : -1, 1);
  write_known(out, ",\"duplicate_window_s\":", known ? stream->duplicates_ns : -1, NS_PER_S);
  buffer_append_text(out, findings->verdict == 0 ? ",\"ok\":true" : ",\"ok\":false");
  write_text(out, ",\"reason\":", findings->verdict == 0 ? "" : findings->trouble.text);
  if (findings->action)
    write_text(out, ",\"action\":", findings->action);
  write_text(out, ",\"verdict\":",
             findings->verdict == 0  ? "yes"
             : findings->verdict > 0 ? "no"
                                     : "unknown");
  write_unknown(findings, out);
  buffer_append_byte(out, '}');
}

void broker_findings_fini(struct broker_findings *findings) {
  broker_stream_fini(&findings->stream);
}
