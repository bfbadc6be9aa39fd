/* execution_from_struct.c - one execution from the host's struct.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/execution_from_struct.h"

#include <string.h>

#include "record/execution_draft.h"
#include "record/execution_from_json.h"

#define NS_PER_S INT64_C(1000000000)

/* {NULL, 0}: not given; KAIZEN_NTS: NUL-terminated. */
static int read_string(const char *field, struct kaizen_str string, size_t max, struct span *out,
                       struct error *error) {
  if (!string.ptr && string.len != 0)
    return error_set(error, KAIZEN_E_REJECTED,
                     "%s has a length but its pointer is NULL; zero both to leave it out", field);
  size_t len = string.len == KAIZEN_NTS ? strlen(string.ptr) : string.len;
  *out = (struct span){string.ptr, string.ptr ? len : 0};
  return execution_draft_check_text(field, *out, max, error);
}

static int read_strings(const struct kaizen_execution *in, struct execution_draft *draft,
                        size_t max, struct error *error) {
  const struct {
    const char *field;
    struct kaizen_str string;
    struct span *out;
  } strings[] = {{"agent", in->agent, &draft->agent},
                 {"idempotency_key", in->idempotency_key, &draft->key},
                 {"session_id", in->session_id, &draft->session_id},
                 {"primary_name", in->primary_name, &draft->primary_name}};
  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
    if (read_string(strings[i].field, strings[i].string, max, strings[i].out, error) != 0)
      return -1;
  return 0;
}

/* 0.0 is a real value, so a flag says whether it is given; a number without its flag was meant to
 * be given. */
static int read_number(const char *field, double value, uint32_t flags, uint32_t flag,
                       const char *flag_name, double *out, bool *has, struct error *error) {
  *has = flags & flag;
  *out = value;
  if (*has || value == 0)
    return 0;
  return error_set(error, KAIZEN_E_REJECTED,
                   "%s is given without its flag; set KAIZEN_EXEC_%s or leave it 0", field,
                   flag_name);
}

static int read_numbers(const struct kaizen_execution *in, struct execution_draft *draft,
                        struct error *error) {
  if (read_number("execution_time_s", in->execution_time_s, in->flags, KAIZEN_EXEC_HAS_TIME,
                  "HAS_TIME", &draft->execution_time_s, &draft->has_time, error) != 0 ||
      read_number("quality_score", in->quality_score, in->flags, KAIZEN_EXEC_HAS_QUALITY,
                  "HAS_QUALITY", &draft->quality_score, &draft->has_quality, error) != 0 ||
      read_number("primary_value", in->primary_value, in->flags, KAIZEN_EXEC_HAS_PRIMARY,
                  "HAS_PRIMARY", &draft->primary_value, &draft->has_primary, error) != 0 ||
      read_number("primary_target", in->primary_target, in->flags, KAIZEN_EXEC_HAS_TARGET,
                  "HAS_TARGET", &draft->primary_target, &draft->has_target, error) != 0)
    return -1;
  if (draft->has_target && !draft->has_primary)
    return error_set(error, KAIZEN_E_REJECTED,
                     "primary_target is given without primary_value; give both");
  if (draft->primary_name.ptr && !draft->has_primary)
    return error_set(error, KAIZEN_E_REJECTED,
                     "primary_name is given without its value; set KAIZEN_EXEC_HAS_PRIMARY");
  return 0;
}

static int read_outcome(int32_t outcome, bool *success, struct error *error) {
  if (outcome != KAIZEN_SUCCESS && outcome != KAIZEN_FAILURE)
    return error_set(error, KAIZEN_E_REJECTED,
                     "outcome is %d%s; set KAIZEN_SUCCESS or KAIZEN_FAILURE", outcome,
                     outcome == 0 ? " (forgotten)" : "");
  *success = outcome == KAIZEN_SUCCESS;
  return 0;
}

static int read_timestamp(int64_t unix_ns, struct execution_draft *draft, struct error *error) {
  if (unix_ns < 0)
    return error_set(error, KAIZEN_E_REJECTED,
                     "timestamp_unix_ns is before 1970; give 0 for the present time");
  draft->has_timestamp = unix_ns != 0;
  draft->timestamp_s = unix_ns / NS_PER_S;
  return 0;
}

static int read_texts(struct execution *execution, const struct kaizen_execution *in,
                      struct execution_draft *draft, size_t max, struct error *error) {
  struct span metadata, extra;
  if (read_string("metadata_json", in->metadata_json, max, &metadata, error) != 0 ||
      read_string("extra_json", in->extra_json, max, &extra, error) != 0)
    return -1;
  if (metadata.ptr &&
      execution_draft_check_json("metadata_json", metadata, 1, &draft->metadata, error) != 0)
    return -1;
  return extra.ptr ? execution_from_json_extra(execution, draft, extra, error) : 0;
}

/* A later version may give it a meaning that this one would miss. */
static int check_reserved(uint32_t reserved0, struct error *error) {
  return reserved0 == 0
             ? 0
             : error_set(error, KAIZEN_E_UNSUPPORTED, "reserved0 is %u; it must be 0", reserved0);
}

int execution_from_struct(struct execution *execution, const struct kaizen_execution *in,
                          const struct execution_limits *limits, struct error *error) {
  const uint32_t known = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY | KAIZEN_EXEC_HAS_PRIMARY |
                         KAIZEN_EXEC_HAS_TARGET | KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT |
                         KAIZEN_EXEC_MAP_AGENT | KAIZEN_EXEC_KEEP_UNKNOWN | KAIZEN_EXEC_CHECK_ONLY;
  struct execution_draft draft = {0};
  if (execution_draft_read_flags(execution, &draft, in->flags, known, limits, error) != 0 ||
      check_reserved(in->reserved0, error) != 0 ||
      read_outcome(in->outcome, &draft.success, error) != 0 ||
      read_strings(in, &draft, limits->max_record_bytes, error) != 0 ||
      read_numbers(in, &draft, error) != 0 ||
      read_timestamp(in->timestamp_unix_ns, &draft, error) != 0 ||
      read_texts(execution, in, &draft, limits->max_record_bytes * EXECUTION_DRAFT_TEXT_FACTOR,
                 error) != 0)
    return -1;
  return execution_draft_finish(execution, &draft, limits, error);
}
