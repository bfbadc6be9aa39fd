/* kaizen/plugin.h - the whole contract between a host and a Kaizen plugin: ABI major 1.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Needs only <stddef.h> and <stdint.h>; C99 and C++11.  The reasons behind the rules, and how to
 * call all this from another language, are in docs/abi.md.
 *
 * USAGE     A host loads the plugin by its file name and asks it for its table:
 *
 *   void *image = dlopen("/usr/lib/kaizen/plugins/kaizen_metrics.so", RTLD_NOW | RTLD_LOCAL);
 *   kaizen_plugin_v1_fn entry;
 *   *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
 *   const struct kaizen_plugin_v1 *plugin = entry();
 *   if (plugin->abi_version >> 16 != KAIZEN_ABI_MAJOR)
 *     return; // another major: nothing else in the table may be read
 *
 *   struct kaizen_host_v1 host = {.struct_size = sizeof host, .abi_version = KAIZEN_ABI_VERSION};
 *   struct kaizen_instance *instance;
 *   plugin->create(&host, &instance);
 *   plugin->configure_key(instance, "project_root", "/home/me/project", KAIZEN_NTS);
 *   plugin->start(instance);
 *
 *   struct kaizen_execution execution = {.struct_size = sizeof execution,
 *                                        .flags = KAIZEN_EXEC_HAS_TIME,
 *                                        .outcome = KAIZEN_SUCCESS,
 *                                        .execution_time_s = 12.5,
 *                                        .agent = {"coach", KAIZEN_NTS}};
 *   int32_t code = plugin->on_execution_end(instance, &execution, NULL, NULL);
 *
 *   plugin->stop(instance, 1000);
 *   plugin->destroy(instance);
 *
 *           The same with its results checked is examples/embed.c; that and hosts in seven languages
 *           are installed where `pkg-config --variable=examplesdir kaizen-plugin` says.
 *
 * LIFE      of one instance.  What each call needs and leads to:
 *
 *             create           configure, configure_key           start
 *     (none) --------> CREATED ------------------------> CONFIGURED -----> RUNNING
 *                         ^                                |    ^           |   ^
 *                         |    a configure() that fails    |    |      stop |   | start
 *                         +--------------------------------+    |           v   |
 *                         |                           configure |          STOPPED
 *                         |                                     +-------------+
 *                         +---------------------------------------------------+
 *
 *           Running only: on_execution_end, on_execution_end_json, flush; else KAIZEN_E_STOPPED.
 *           stats, last_error: in any state.  destroy: from any state, back to (none).
 *
 * THREADS   [pure]    any thread, any time, no side effects.
 *           [control] the host makes one such call at a time per instance; any thread.
 *           [shared]  any thread, concurrent with itself and with [control], but not with destroy.
 *           No call relies on being on the same OS thread as another.  No [control] call but
 *           destroy waits for a [shared] call in progress: that one finishes, or answers
 *           KAIZEN_E_STOPPED.  No call is a cancellation point; none is safe in a signal handler.
 *           A thread with 128 KiB of stack can make any call (48 were enough when it was
 *           measured).
 * MEMORY    Nothing allocated on one side is freed on the other.  Inputs are borrowed until the
 *           call returns; outputs go into caller memory; the plugin's own `const char *` members
 *           and its tables are static and stay valid for the life of the process.
 * GROWTH    Members are only ever appended; no struct is smaller than its 1.0 layout (else
 *           KAIZEN_E_ARGUMENT).  Read a member only if struct_size covers it.  A larger struct than
 *           the other side knows is accepted and its tail ignored; of an out-struct as much is
 *           written as both know, the rest of the caller's is zeroed, and the caller's struct_size
 *           is never changed.  Unknown flag bits: 0-15 refused (they change meaning), 16-31 ignored
 *           (they add data).  Out-structs are written on every code, except one that is itself
 *           too small.
 * ZERO      A zeroed member means "not given".  {ptr, 0} with ptr != NULL is an empty given value
 *           (rejected for agent and idempotency_key); {NULL, n} and a number without its bit are
 *           rejected.
 * HOST      A call leaves errno, signal dispositions and masks, the umask, the working directory,
 *           the locale and the environment of its host as they were.
 * FORK      An instance belongs to the process that created it; see KAIZEN_E_FORKED.
 * UNLOAD    dlclose() is allowed once every instance is destroyed; the image stays mapped. */
#ifndef KAIZEN_PLUGIN_H
#define KAIZEN_PLUGIN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define KAIZEN_ABI_MAJOR   1u
#define KAIZEN_ABI_MINOR   0u
#define KAIZEN_ABI_VERSION ((KAIZEN_ABI_MAJOR << 16) | KAIZEN_ABI_MINOR)
#define KAIZEN_NTS         ((size_t)-1) /* len of a NUL-terminated kaizen_str */
/* True when *p is large enough to hold `m` and `m` is set (functions and pointers). */
#define KAIZEN_HAS(p, T, m) \
  ((p)->struct_size >= offsetof(T, m) + sizeof(((T *)0)->m) && (p)->m != 0)

/* ---- results --------------------------------------------------------------------------------- */

/* Every int32_t result: >= 0 the call did its work; < 0 it did not.  From on_execution_end, >= 0
 * means that the execution is in the log.  The ranges are the retry policy, also for codes added
 * later. */
enum {
  KAIZEN_OK              = 0,
  KAIZEN_RECORDED        = 0,   /* the execution is in the log, durable as configured (fsync) */
  KAIZEN_DUPLICATE       = 1,   /* its key was seen before for this agent; nothing changed */
  KAIZEN_PENDING         = 2,   /* flush, stop: deadline passed; what is left stays in the log.  No
                                 * error: a normal way to end */
  /* -1..-63 final: the same call gets the same answer */
  KAIZEN_E_ARGUMENT      = -1,  /* NULL, or a struct smaller than its 1.0 layout */
  KAIZEN_E_STATE         = -2,  /* not in this state of the instance, which only the host's own
                                 * [control] calls change; see LIFE */
  KAIZEN_E_CONFIG        = -3,  /* a setting or the project root is refused; last_error says why */
  KAIZEN_E_UNSUPPORTED   = -4,  /* unknown low flag bit, or another ABI major */
  KAIZEN_E_FORKED        = -5,  /* child of the creating process: create an instance of its own */
  KAIZEN_E_REJECTED      = -6,  /* the execution can never be recorded; the receipt says why */
  KAIZEN_E_ENDED         = -7,  /* a sink of the host's ended the output */
  /* -64..-95 transient: nothing was recorded; retry with back-off */
  KAIZEN_E_BUSY          = -64, /* the log was not had within lock_timeout_ms */
  KAIZEN_E_NOMEM         = -65,
  KAIZEN_E_IO            = -66, /* disk full, permission, ...; nothing was left behind */
  KAIZEN_E_STOPPED       = -67, /* a [shared] call that needs a running instance, before start() or
                                 * after stop(): it works once the instance runs */
  /* -96..-127 unknown: it may or may not be in the log; retry only with an idempotency key,
   * which ends in exactly one record */
  KAIZEN_E_INDETERMINATE = -96  /* a sync failed, or part of a line could not be taken back */
};
#define KAIZEN_MAY_RETRY(rc, has_key) ((rc) <= -64 && ((rc) > -96 || (has_key)))
enum { KAIZEN_LOG_ERROR = 3, KAIZEN_LOG_WARNING = 4, KAIZEN_LOG_NOTICE = 5, KAIZEN_LOG_INFO = 6,
       KAIZEN_LOG_DEBUG = 7 }; /* as syslog: smaller is more severe */
enum { KAIZEN_SUCCESS = 1, KAIZEN_FAILURE = 2 }; /* kaizen_execution.outcome; 0 = forgotten */
/* Of the last 10 values against the 10 before them (trend_window): no value at all; less than
 * 0.05 apart, or nothing before them; higher; lower. */
enum { KAIZEN_TREND_UNKNOWN = 0, KAIZEN_TREND_STABLE = 1, KAIZEN_TREND_UP = 2,
       KAIZEN_TREND_DOWN = 3 };
enum { /* kaizen_execution.flags.  Unknown bits: 0-15 refused, 16-31 ignored.
        * A number that is not 0 without its bit is rejected (0.0 is a real value). */
  KAIZEN_EXEC_HAS_TIME     = 1u << 0, /* execution_time_s */
  KAIZEN_EXEC_HAS_QUALITY  = 1u << 1, /* quality_score */
  KAIZEN_EXEC_HAS_PRIMARY  = 1u << 2, /* primary_value; needs primary_name */
  KAIZEN_EXEC_HAS_TARGET   = 1u << 3, /* primary_target; needs KAIZEN_EXEC_HAS_PRIMARY */
  KAIZEN_EXEC_EMIT         = 1u << 4, /* publish an event; neither: as configured (emit_event) */
  KAIZEN_EXEC_NO_EMIT      = 1u << 5, /* do not; both: rejected */
  /* `agent` may be any name: kaizen.names/1's mapping makes a legal one of it, and a name that
   * was changed is kept as metadata's member "agent_name" */
  KAIZEN_EXEC_MAP_AGENT    = 1u << 6,
  /* JSON is taken as a log may hold it: unknown keys, and values that would be refused of a new
   * run (a quality_score of 85), are kept as they are given.  For records of another log, and for
   * hosts that know more keys than this plugin */
  KAIZEN_EXEC_KEEP_UNKNOWN = 1u << 7,
  /* only checked: KAIZEN_OK or why it would be rejected; nothing is recorded, counted or logged */
  KAIZEN_EXEC_CHECK_ONLY   = 1u << 8
};
enum { KAIZEN_SUMMARY_HAS_QUALITY = 1u << 0, /* some record carries a quality_score */
       KAIZEN_SUMMARY_HAS_TIME = 1u << 1 };  /* some record carries an execution_time_s */
enum { KAIZEN_RECEIPT_MARKED = 1u << 0,      /* event_id stands in the log and will be sent */
       /* DUPLICATE, but the first record has another outcome, quality or time; it stays as it is */
       KAIZEN_RECEIPT_KEY_CONFLICT = 1u << 1 };

/* ---- texts and handles ----------------------------------------------------------------------- */

/* UTF-8 without a byte order mark.  {NULL,0} = not given; len KAIZEN_NTS: up to the NUL. */
struct kaizen_str { const char *ptr; size_t len; };
struct kaizen_instance;                             /* opaque, owned by the plugin */

/* kaizen_host_v1.flags.  Unknown bits: 0-15 refused, 16-31 ignored. */
enum {
  /* The host only reads: configure() also takes a project of another user, and one that cannot be
   * written to; start() answers KAIZEN_E_STATE.  Every file has to belong to the project's
   * owner. */
  KAIZEN_HOST_ONLY_READS = 1u << 16
};

/* ---- what the host offers -------------------------------------------------------------------- */

/* Copied by create(); ctx and what the callbacks need must live until destroy() has returned.
 *
 * Each callback may be NULL.  They are invoked only on a thread that is inside a call on this
 * instance, with no lock of the plugin held, and never after stop() or destroy() have returned but
 * from a later call of the host's own; log and now_unix_ns on several threads at once when
 * the host makes [shared] calls on several.  A
 * callback may take locks of the host's; it must not call the plugin, and must not leave by an
 * exception or longjmp(). */
struct kaizen_host_v1 {
  uint32_t struct_size, abi_version; /* sizeof, KAIZEN_ABI_VERSION */
  uint32_t flags, log_level; /* KAIZEN_HOST_...; the least severe level wanted, 0: warnings */
  void *ctx;                 /* first argument of every callback */
  const char *name, *version; /* of the host, NUL-terminated, or NULL; not needed after create() */
  /* One message.  id is stable (docs/operations.md lists them), msg is for people: UTF-8, `len`
   * bytes, one line, without credentials, borrowed until the callback returns.  Of one id at
   * most one message in ten seconds, with the number of those left out. */
  void (*log)(void *ctx, int32_t level, int32_t id, const char *msg, size_t len);
  /* Wall time in nanoseconds since 1970-01-01T00:00:00Z, for the records; NULL: the system's clock.
   * Deadlines never go by it. */
  int64_t (*now_unix_ns)(void *ctx);
  /* For later use: what the host offers besides, by id; NULL when unknown.  1.0 never calls it.  A
   * later plugin asks within create(), on the thread of that call; the tables it gets must live
   * until destroy() has returned. */
  const void *(*get_extension)(void *ctx, const char *id);
};

/* ---- one execution --------------------------------------------------------------------------- */

/* The host fills it and zeroes what it does not know.  Everything is checked before a lock is
 * taken; what is wrong is answered with KAIZEN_E_REJECTED, the receipt naming the member, the
 * value and the rule.  The finished line has at most max_record_bytes (65536 unless configured);
 * each JSON text may be 8 times as long before white space and escapes are taken out. */
struct kaizen_execution {
  uint32_t struct_size, flags; /* sizeof; KAIZEN_EXEC_... */
  /* KAIZEN_SUCCESS or KAIZEN_FAILURE, forever: how a run ended otherwise is metadata, "outcome":
   * "timeout" or "aborted". */
  int32_t outcome;
  uint32_t reserved0; /* 0; else KAIZEN_E_UNSUPPORTED */
  /* When it ended, since 1970; kept to the second; 0 = now.  Negative, or older than
   * retention_days: rejected. */
  int64_t timestamp_unix_ns;
  /* Finite; in this order: >= 0 seconds; 0 to 1; any; any. */
  double execution_time_s, quality_score, primary_value, primary_target;
  /* 1 to 512 bytes, compared as bytes, per agent.  Given again while its record is in the log:
   * DUPLICATE.  Not given: metadata_json's member "idempotency_key" when it has one, else never a
   * duplicate. */
  struct kaizen_str idempotency_key;
  /* Required: 1 to 64 of A-Z a-z 0-9 _ - . ; not beginning with - or ., not ending with . ; not
   * "optimizer".  kaizen.names/1 makes such a name of any other. */
  struct kaizen_str agent;
  struct kaizen_str session_id, primary_name; /* any text; primary_name is not empty */
  /* One JSON object: no name twice, at most 31 levels deep with its own, no lone surrogates, no
   * number beyond a double; kept with its own key order and number texts. */
  struct kaizen_str metadata_json;
  /* One JSON object, merged at the top level: helix_session_uid, repo, flavor (strings), tokens
   * (integer >= 0), infra_overhead_share (number), and keys that begin with x_, which are
   * anybody's (string, number or boolean); no others unless KAIZEN_EXEC_KEEP_UNKNOWN. */
  struct kaizen_str extra_json;
};

/* ---- answers, in memory of the caller's ------------------------------------------------------ */

struct kaizen_receipt { /* see GROWTH */
  uint32_t struct_size, flags; /* sizeof, by the caller; KAIZEN_RECEIPT_... */
  char event_id[40]; /* UUID text; "" unless KAIZEN_RECEIPT_MARKED; on DUPLICATE the first one's */
  char reason[208];  /* why < 0, NUL-terminated, cut between characters; else "" */
};
/* See GROWTH.  What this agent's log adds up to after the call, also on DUPLICATE; all zero when
 * the call answered < 0.  Means are 0.0 where no record carries the value: the flags tell. */
struct kaizen_summary {
  uint32_t struct_size, flags; /* sizeof, by the caller; KAIZEN_SUMMARY_... */
  uint64_t execution_count;    /* records in the log: retention takes old ones out */
  double success_rate, avg_quality_score, avg_execution_time_s;
  int64_t last_execution_unix_ns; /* greatest timestamp in the log, whole seconds; 0: none */
  int32_t trend_success_rate, trend_quality_score; /* KAIZEN_TREND_... */
};
enum { KAIZEN_STATE_CREATED = 0, KAIZEN_STATE_CONFIGURED = 1, KAIZEN_STATE_RUNNING = 2,
       KAIZEN_STATE_STOPPED = 3 }; /* of an instance; see LIFE */
struct kaizen_stats { /* see GROWTH */
  uint32_t struct_size;
  int32_t state; /* KAIZEN_STATE_... */
  /* Executions this instance was given, by what became of them: RECORDED; DUPLICATE; final codes;
   * transient and unknown ones. */
  uint64_t recorded, duplicates, rejected, failed;
  /* Marked records in the project's logs, by any writer; the first is the sum of the
   * others, held ones counting as pending. */
  uint64_t marked, acknowledged, pending, dead_lettered;
  uint64_t publish_failures; /* answers of the broker that were not acknowledgements, since start() */
  int64_t oldest_pending_unix_ns, last_acknowledged_unix_ns; /* 0: none */
  int32_t publisher; /* KAIZEN_PUBLISHER_... */
  uint32_t flags;    /* KAIZEN_STATS_... */
  /* Why it is not CONNECTED, or why nothing is acknowledged although it is; NUL-terminated, without
   * credentials. */
  char publisher_reason[160];
  /* With KAIZEN_STATS_INCOMPLETE: of so many agents the events cannot be told; why, of the
   * first. */
  uint64_t unknown_agents;
  char incomplete_reason[160];
};
enum { KAIZEN_STATS_INCOMPLETE = 1u << 0 /* marked, acknowledged, pending, dead_lettered and the
                                          * times are of the agents that could be read: a log is
                                          * locked, belongs to somebody else, ... */ };
enum { KAIZEN_PUBLISHER_OFF = 0,       /* emission is off, or not started */
       KAIZEN_PUBLISHER_ELSEWHERE = 1, /* relay, or another process */
       KAIZEN_PUBLISHER_CONNECTING = 2, KAIZEN_PUBLISHER_CONNECTED = 3 };

/* ---- the table ------------------------------------------------------------------------------- */

/* Every function of 1.0 is there.  Every function that takes an instance answers
 * KAIZEN_E_ARGUMENT for NULL and KAIZEN_E_FORKED in a forked child, unless it says otherwise. */
struct kaizen_plugin_v1 {
  uint32_t struct_size, abi_version; /* read these two first */
  const char *id, *version;          /* "kaizen.metrics"; of this build */
  const char *config_schema;         /* JSON Schema (draft 2020-12) of configure()'s text */

  /* [pure] stable upper-case name of a result code; of a code it does not know, the name of its
   * range: "OK", "E_FINAL", "E_TRANSIENT", "E_UNKNOWN".  Never NULL. */
  const char *(*code_name)(int32_t code);

  /* [control] Allocates only: opens nothing, starts no thread.  *out is the instance, to be
   * given back with destroy(), or NULL when the result is not KAIZEN_OK.
   * Errors: E_ARGUMENT, E_UNSUPPORTED (another ABI major, a low flag bit), E_NOMEM. */
  int32_t (*create)(const struct kaizen_host_v1 *host, struct kaizen_instance **out);

  /* [control] Any state but running; leads to configured.  Replaces everything configured before
   * by one JSON object; keys, types and ranges are config_schema's.  One instance = one project
   * root = one slug; project_root is absolute.  len may be KAIZEN_NTS; NULL or empty text means
   * {}.  Without a project_root the state stays created, until configure_key() gives one.  Looks at
   * the project root but writes nothing: it is the dry run as well.
   * Errors: E_STATE, E_CONFIG (last_error names key, value and what is allowed), E_NOMEM; then
   * nothing is configured, and the state is created. */
  int32_t (*configure)(struct kaizen_instance *, const char *json, size_t len);

  /* [control] Any state but running.  One key over what configure() gave; value is plain text of
   * `len` bytes or KAIZEN_NTS: no quoting of a path, "true", "42".  An empty text takes a text
   * key back.  Leads to configured as soon as the project root is known, and back to created when
   * it is taken back.
   * Errors: E_STATE, E_CONFIG, E_NOMEM; what was in force before them still is. */
  int32_t (*configure_key)(struct kaizen_instance *, const char *key, const char *value,
                           size_t len);

  /* [control] configured|stopped -> running.  Never waits for the network; a missing broker
   * library or unreadable credentials do not fail it: events stay pending, stats say why.  Makes
   * no thread unless events are emitted from this process.
   * Errors: E_STATE. */
  int32_t (*start)(struct kaizen_instance *);

  /* [shared] Running only.  Records one execution.  KAIZEN_RECORDED: the record is in the log,
   * durable as configured; its event, if marked, will be sent from there, by this process or
   * another.  No network I/O on the calling thread; waits at most lock_timeout_ms for other
   * writers of the same agent.  receipt and summary may be NULL; else the caller sets their
   * struct_size.
   * Errors: E_ARGUMENT, E_UNSUPPORTED (a low flag bit, reserved0), E_REJECTED; E_BUSY, E_NOMEM,
   * E_IO, E_STOPPED; E_INDETERMINATE.  Each is counted by stats(). */
  int32_t (*on_execution_end)(struct kaizen_instance *, const struct kaizen_execution *,
                              struct kaizen_receipt *, struct kaizen_summary *);

  /* [shared] The same for one record as JSON text with the log's keys and types
   * (docs/format.md), len bytes or KAIZEN_NTS.  "agent" and "success" are required; null means
   * not given; an unknown key is rejected, the nearest known one named, unless it begins with x_;
   * "event_id" and "event" are ignored, so that an exported log can be given back.  flags:
   * KAIZEN_EXEC_EMIT, _NO_EMIT, _MAP_AGENT, _KEEP_UNKNOWN, _CHECK_ONLY. */
  int32_t (*on_execution_end_json)(struct kaizen_instance *, const char *json, size_t len,
                                   uint32_t flags, struct kaizen_receipt *,
                                   struct kaizen_summary *);

  /* [shared] Running only.  Waits at most timeout_ms until every marked record now in the
   * project's logs is acknowledged or dead-lettered, whichever process publishes; held ones are
   * not waited for.  Emission off = KAIZEN_OK at once; 0 ms = only count.  *pending (may be
   * NULL): what is left.  KAIZEN_PENDING: the deadline passed.
   * Errors: E_STOPPED, E_NOMEM; E_BUSY (the lock of a log was not free), E_IO (a log cannot be
   * read): *pending is what the others hold, and stats() says which one it was. */
  int32_t (*flush)(struct kaizen_instance *, uint32_t timeout_ms, uint64_t *pending);

  /* [shared] Any state; before configure() only the counters of calls.  Reads the state of every
   * agent of the project: for once in a while, not for each execution.
   * Errors: E_ARGUMENT. */
  int32_t (*stats)(struct kaizen_instance *, struct kaizen_stats *);

  /* [control] Any state.  Copies the text of the last call that failed, of the table's or an
   * extension's, except those that record one execution, whose receipt says why; NUL-terminated
   * and cut between characters to fit cap.  Answers its full length in bytes, 0 when there is
   * none.  buf may be NULL. */
  size_t (*last_error)(struct kaizen_instance *, char *buf, size_t cap);

  /* [control] running -> stopped, at once: from then on recording and flush() answer
   * KAIZEN_E_STOPPED.
   * Flushes for at most timeout_ms, then ends this instance's threads; one that hangs in the
   * network is left to end by itself.  KAIZEN_PENDING: events are left, in the log, or may be:
   * last_error() then names an agent whose log could not be read.
   * Errors: E_STATE. */
  int32_t (*stop)(struct kaizen_instance *, uint32_t timeout_ms);

  /* [control] Any state; NULL is a no-op; stops with timeout 0 when still running.  No other
   * call on the instance may be in progress.  In a forked child it does nothing: what the
   * instance holds is the parent's. */
  void (*destroy)(struct kaizen_instance *);

  /* [pure] NULL when unknown.  Ids read "kaizen.<name>/<rev>"; a rev's layout is frozen
   * (kaizen/extensions.h). */
  const void *(*get_extension)(const char *id);
};

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* tag and function share the name on purpose */
#endif
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const struct kaizen_plugin_v1 *kaizen_plugin_v1(void); /* [pure]; same static table each time */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
typedef const struct kaizen_plugin_v1 *(*kaizen_plugin_v1_fn)(void);
#define KAIZEN_PLUGIN_V1_SYMBOL "kaizen_plugin_v1"

#ifdef __cplusplus
}
#endif
#endif
