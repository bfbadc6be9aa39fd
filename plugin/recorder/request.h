/* request.h - one execution to record, and the answer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_RECORDER_REQUEST_H
#define KAIZEN_RECORDER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "record/execution.h"

struct recorder_request {
  const struct execution *execution;
  /* the answer */
  int32_t code;      /* KAIZEN_RECORDED, _DUPLICATE, _E_BUSY, _E_NOMEM, _E_IO or _E_INDETERMINATE */
  bool marked;       /* event_id is in the log and will be sent */
  bool key_conflict; /* DUPLICATE, and the first record says something else */
  char event_id[UUID_TEXT_SIZE];
};

#endif
