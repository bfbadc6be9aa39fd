/* kaizen/extensions.h - what kaizen_plugin_v1.get_extension(id) returns.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each extension is a static table, valid for the life of the process.  An id names one frozen
 * layout: a table never changes under its id, a new layout gets a new id.  Only three things may
 * grow under an id: structs that begin with their size, flag bits, and members of reports.  Thread
 * tags, memory rules and result codes are those of kaizen/plugin.h; an agent's name comes with its
 * length, which may be KAIZEN_NTS.  Reports are JSON text handed to a sink, so that they can gain
 * members without a new layout; docs/schemas/ describes them.  A host takes only what it needs:
 *
 *   const struct kaizen_inspect_1 *inspect = plugin->get_extension(KAIZEN_INSPECT_1);
 *   if (inspect) inspect->delivery(instance, sink, ctx);
 */
#ifndef KAIZEN_EXTENSIONS_H
#define KAIZEN_EXTENSIONS_H

#include <kaizen/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Receives a piece of output; `data` is borrowed until the sink returns.  Called on the calling
 * thread, with no lock of the plugin held.  A result other than 0 ends the output; the call then
 * answers KAIZEN_E_ENDED. */
typedef int32_t (*kaizen_sink)(void *ctx, const char *data, size_t len);

#define KAIZEN_INSPECT_1 "kaizen.inspect/1"
struct kaizen_inspect_1 { /* reading without recording: configured, running or stopped; writes no
                           * file */
  /* [shared] this agent's summary as its log stands now.  KAIZEN_E_REJECTED: no such agent, or not
   * a legal name. */
  int32_t (*summary)(struct kaizen_instance *, const char *agent, size_t agent_len,
                     struct kaizen_summary *);
  /* [shared] the agent's last `max` records (0: all), oldest first, as the log's own lines, each
   * with its newline, one line per sink call. */
  int32_t (*recent)(struct kaizen_instance *, const char *agent, size_t agent_len, uint64_t max,
                    kaizen_sink, void *ctx);
  /* [shared] one JSON object in one sink call:
   * {"project","project_root","emit_event","publisher":{"state","reason","holder_pid",
   * "hopeless","duplicates","duplicates_gone","holder_stopped"},
   *  "limits":[{"call","reason","effect"}...],
   *  "agents":[{"agent","execution_count","success_rate","avg_quality_score",
   *  "avg_execution_time_s","last_execution","trend":{"success_rate","quality_score"},"marked",
   *  "acknowledged","pending","held","dead_lettered","oldest_pending","skipped_lines"}...],
   *  "complete","unreadable":[{"agent","why"}...]}, agents by name.
   * An agent that cannot be read is named in "unreadable" and is in no count.  One whose .state
   * contradicts its log is in both lists, and its counts of events, except "marked", are null. */
  int32_t (*delivery)(struct kaizen_instance *, kaizen_sink, void *ctx);
  /* [shared] one JSON object in one sink call: each configuration key with its value in force and
   * where it came from: {"KEY":{"value":...,"origin":"configured|environment|default"}...}.
   * Credentials in a URL are replaced by "***". */
  int32_t (*config)(struct kaizen_instance *, kaizen_sink, void *ctx);
};

#define KAIZEN_QUERY_1 "kaizen.query/1"
enum { /* kaizen_query.flags; see GROWTH in kaizen/plugin.h */
  KAIZEN_QUERY_SINCE = 1u << 0, /* only records with a timestamp at or after since_unix_ns */
  KAIZEN_QUERY_UNTIL = 1u << 1, /* only records with a timestamp before until_unix_ns */
  KAIZEN_QUERY_AFTER = 1u << 2  /* only lines that follow the place `after` */
};
enum {                             /* kaizen_query_result.flags */
  KAIZEN_QUERY_RESTARTED = 1u << 0 /* the place `after` is no longer in the log (retention, a
                                      rewrite, another log): read from its beginning instead */
};
struct kaizen_query_place { /* where a query ended.  Opaque: give it back unchanged.  It may be
                             * stored, and used by another process.  All zero: the beginning. */
  uint64_t opaque[6];
};
struct kaizen_query { /* see GROWTH */
  uint32_t struct_size, flags; /* sizeof, by the caller; KAIZEN_QUERY_... */
  struct kaizen_str agent;
  int64_t since_unix_ns, until_unix_ns; /* the log's own timestamps have whole seconds */
  uint64_t last;                        /* of the records that match, only the newest `last`; 0:
                                         * all */
  struct kaizen_query_place after;
};
struct kaizen_query_result { /* see GROWTH; sized by the caller, filled also when the call fails */
  uint32_t struct_size, flags;
  uint64_t records;       /* handed to the sink */
  uint64_t undated;       /* left out of a time range: their timestamp cannot be read */
  uint64_t skipped_lines; /* neither a record nor blank; like `undated`, counts the lines read */
  struct kaizen_query_place place; /* after the last line read, for `after` of the next query; all
                                      zero when the call fails */
  char reason[208];                /* why the result is < 0; NUL-terminated, cut between characters;
                                    * else "" */
};
struct kaizen_query_1 { /* records by time and number; configured, running or stopped; writes no
                           file */
  /* [shared] the name of each agent that has a log, or whose log is gone while its summary is there,
   * one per sink call, without a newline, in the order of strcmp(). */
  int32_t (*agents)(struct kaizen_instance *, kaizen_sink, void *ctx);
  /* [shared] an agent's records as the log's own lines, each with its newline, one per sink call,
   * in the order of the log.  They are the records that the log held at one moment: its lock is
   * taken (shared, for at most 2 s) only to read its length, and nothing appended later is read.
   * `last` without a time range reads only the end of the log, `after` only what follows that
   * place, any other query the whole log; all in constant memory.  `result` may be NULL.
   * Errors: E_ARGUMENT; E_UNSUPPORTED (an unknown flag of 0-15); E_FORKED; E_STATE; E_REJECTED (no
   * such agent, or not a legal name); E_BUSY, E_NOMEM, E_IO. */
  int32_t (*records)(struct kaizen_instance *, const struct kaizen_query *, kaizen_sink, void *ctx,
                     struct kaizen_query_result *result);
};

#define KAIZEN_BATCH_1 "kaizen.batch/1"
enum {
  KAIZEN_BATCH_DERIVE_KEYS = 1u << 0, /* a line without a key gets one made from its own bytes */
  /* Each agent's lines are committed together, also when lines of other agents are between them;
   * they keep their own order.  A failure then leaves out single lines: the refusal callback, which
   * must be given, is called for each of them with its code (<= -64).  Every other line before
   * `consumed` has been handled, and the result is the code of the first failure.  Give the failed
   * lines again before any later ones.  Older plugins answer KAIZEN_E_UNSUPPORTED. */
  KAIZEN_BATCH_ANY_ORDER = 1u << 1
};
struct kaizen_batch_result { /* see GROWTH; sized by the caller, zeroed by the call first */
  uint32_t struct_size, flags; /* sizeof; 0 */
  uint64_t lines, recorded, duplicates, rejected,
      older_than_retention; /* blank lines are not counted */
  uint64_t consumed; /* bytes taken: always whole lines, all of them unless the result is < 0 */
};
/* One line that was not newly recorded: `line` counts from 1 within this call; code as
 * on_execution_end's. */
typedef void (*kaizen_batch_refusal)(void *ctx, uint64_t line, int32_t code, const char *reason);
struct kaizen_batch_1 { /* many records with one lock, write, sync and summary for each agent in
                         * it */
  /* [shared] running only.  `lines`: JSON Lines, each record with its "agent"; the last line may
   * lack its newline.  exec_flags: as on_execution_end_json's, for all of them.
   * A rejected or duplicate line does not stop the batch.  A result < 0 is a transient or unknown
   * failure: everything before `consumed` has been handled; give the rest again.  Lines with keys
   * share a commit with neighbouring lines of any agent.  Lines without a key share one only with
   * neighbouring lines of the same agent, because giving them again would record them twice, unless
   * KAIZEN_BATCH_ANY_ORDER is set. */
  int32_t (*record)(struct kaizen_instance *, const char *lines, size_t len, uint32_t exec_flags,
                    uint32_t batch_flags, kaizen_batch_refusal, void *ctx,
                    struct kaizen_batch_result *);
};

#define KAIZEN_DELIVERY_1 "kaizen.delivery/1"
struct kaizen_delivery_1 { /* decisions an operator takes about events; configured, running or
                            * stopped; count is not NULL */
  /* [shared] every event acknowledged at or after `since_unix_ns` (0: every event in the logs, also
   * those held back) becomes pending again, with its own id.  *count: how many. */
  int32_t (*resend)(struct kaizen_instance *, int64_t since_unix_ns, uint64_t *count);
  /* [shared] events that are held back (the tree was copied or restored) count as sent from now
   * on. */
  int32_t (*assume_sent)(struct kaizen_instance *, uint64_t *count);
  /* [shared] each dead letter as one JSON line:
   * {"event_id","agent","reason","time","event":{...}}. */
  int32_t (*dead_letters)(struct kaizen_instance *, kaizen_sink, void *ctx);
  /* [shared] every dead letter becomes pending again. */
  int32_t (*retry_dead_letters)(struct kaizen_instance *, uint64_t *count);
};

#define KAIZEN_BROKER_1 "kaizen.broker/1"
enum { /* init()'s flags; see GROWTH in kaizen/plugin.h */
  KAIZEN_BROKER_DRY_RUN = 1u << 0 /* only says what it would do */
};
struct kaizen_broker_1 { /* set-up of the broker this instance is configured for; configured,
                          * running or stopped; waits for the network */
  /* [control] Connects, and looks for the stream that takes our subject.  One JSON object in one
   * sink call:
   * {"url","connected","server_version","jetstream","stream","subjects","replicas",
   *  "duplicate_window_s","ok","reason","verdict","unknown":[{"what","why"}...]}.  KAIZEN_OK when
   * events can be published, as far as is known; "unknown" has what the broker does not tell. */
  int32_t (*check)(struct kaizen_instance *, uint32_t timeout_ms, kaizen_sink, void *ctx);
  /* [control] makes the stream (file storage, subjects activity.> and org.>, a day of
   * deduplication) unless it is there; refuses when another stream covers the subject.  name NULL:
   * ACTIVITY_EVENTS; replicas 1-5; flags: KAIZEN_BROKER_...  The report is as check's, with
   * "action" "created|exists|would-create|refused". */
  int32_t (*init)(struct kaizen_instance *, const char *name, uint32_t replicas, uint32_t flags,
                  uint32_t timeout_ms, kaizen_sink, void *ctx);
  /* [control] a plain subscription to our subject: each event's payload, one per sink call, until
   * the sink returns non-zero or timeout_ms (0: none) has passed without one.  The sink is also
   * called with len 0 at least every 100 ms, so that a host can end a quiet wait. */
  int32_t (*watch)(struct kaizen_instance *, uint32_t timeout_ms, kaizen_sink, void *ctx);
};

#define KAIZEN_REPAIR_1 "kaizen.repair/1"
struct kaizen_repair_1 { /* compares the log with everything derived from it */
  /* [shared] configured, running or stopped; writes nothing.  One JSON object in one sink call:
   * {"agent","consistent","records","bad_lines":[{"line","offset","reason"}...first 100],
   *  "bad_line_count","torn_tail","summary","checkpoint","state"}; the last three are ok, missing,
   * or what differs. */
  int32_t (*verify)(struct kaizen_instance *, const char *agent, size_t agent_len, kaizen_sink,
                    void *ctx);
  /* [shared] removes bad lines from the log under its lock (saved first to .salvage-<time>.jsonl
   * beside it, named in the report as "saved_to"), rebuilds what is derived, and sets a cursor that
   * contradicts the log right from it: events of which it is then unknown whether they were sent
   * are held back ("held_back" is how many).  Report as verify's, after the repair. */
  int32_t (*repair)(struct kaizen_instance *, const char *agent, size_t agent_len, kaizen_sink,
                    void *ctx);
};

#define KAIZEN_SPAN_1 "kaizen.span/1"
enum { KAIZEN_SPAN_TOKEN_SIZE = 40 }; /* of a token's text, with its NUL */
struct kaizen_span {                  /* a run that begins; see GROWTH, zero what is not given */
  uint32_t struct_size, flags;        /* sizeof; KAIZEN_EXEC_EMIT, KAIZEN_EXEC_NO_EMIT or 0: how the
                                         run is recorded if it is lost */
  struct kaizen_str agent;            /* as kaizen_execution's */
  struct kaizen_str idempotency_key;  /* the record's key; not given: the span makes one */
  struct kaizen_str session_id;       /* of the record of a lost run; at most 1024 bytes */
};
/* A span is a run that is reported when it begins and when it ends.  The plugin measures its time.
 * A run whose process dies before it reports the end is recorded all the same: the next recording
 * or repair() in that agent's log, or sweep(), by any process, records one failure with metadata
 * {"outcome":"lost"} under the span's key.  So there is never both this record and one of the end.
 * Where it is unknown whether the process lives (another pid namespace), the span counts as lost
 * after a day.  Open spans are files: they outlive the instance, but not a loss of power. */
struct kaizen_span_1 {
  /* [shared] running only.  `token` is filled with NUL-terminated text.  At most about 1000 spans
   * of an agent are open at a time.
   * Errors: E_ARGUMENT; E_UNSUPPORTED (an unknown flag of 0-15); E_FORKED; E_STOPPED; E_REJECTED;
   * E_BUSY (too many are open); E_NOMEM, E_IO. */
  int32_t (*begin)(struct kaizen_instance *, const struct kaizen_span *,
                   char token[KAIZEN_SPAN_TOKEN_SIZE]);
  /* [shared] running only.  on_execution_end() for the run of `token`, by any instance of the
   * project, also in another process.  The execution names the span's agent.  Its key comes from
   * the span and need not be repeated.  Without KAIZEN_EXEC_HAS_TIME its time is the measured one,
   * or none when the machine was restarted in between.  A result >= 0 closes the span; after a
   * transient or unknown one it is still open: call again.  For a token that is not open (ended or
   * cancelled before, or recorded as lost) the execution needs a key of its own, so that a run is
   * recorded once; without it: E_REJECTED. */
  int32_t (*end)(struct kaizen_instance *, const char *token, const struct kaizen_execution *,
                 struct kaizen_receipt *, struct kaizen_summary *);
  /* [shared] running only.  Closes a span without a record; KAIZEN_OK also when it is not open. */
  int32_t (*cancel)(struct kaizen_instance *, const char *agent, size_t agent_len,
                    const char *token);
  /* [shared] configured, running or stopped; writes no file.  Every open span of an agent, or of
   * all agents when `agent` is not given, one JSON object per sink call:
   * {"agent","token","began","elapsed_s","session_id","pid","lost"}; elapsed_s is null when it
   * is unknown. */
  int32_t (*list)(struct kaizen_instance *, const char *agent, size_t agent_len, kaizen_sink,
                  void *ctx);
  /* [shared] running only.  Records every lost run of the project now.  *count (may be NULL): how
   * many were recorded. */
  int32_t (*sweep)(struct kaizen_instance *, uint64_t *count);
};

#define KAIZEN_NAMES_1 "kaizen.names/1"
enum { KAIZEN_NAME_MAX = 64 };
struct kaizen_names_1 {
  /* [pure] a legal agent name for any name: itself when legal, else its legal characters and a hash
   * of the whole, lower case ("Triage Agent" -> "triage-agent-1f3a9c").  `out` takes
   * KAIZEN_NAME_MAX + 1 bytes. Answers 1 when the name was changed, 0 when not, KAIZEN_E_REJECTED
   * when it is empty or not UTF-8; `reason` (may be NULL) then gets the cause, NUL-terminated, in
   * at most reason_size bytes. */
  int32_t (*map)(const char *name, size_t len, char *out, char *reason, size_t reason_size);
};

#ifdef __cplusplus
}
#endif
#endif
