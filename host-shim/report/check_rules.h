/* check_rules.h - the rules of `check`.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_CHECK_RULES_H
#define KAIZEN_HOST_CHECK_RULES_H

#include "report/figures.h"

/* Each rule is an option of this name. */
extern const struct option_spec check_rules_options[];
enum { CHECK_RULES_MAX = 8, CHECK_TEXT_MAX = 160 };

struct check_rule {
  const struct option_spec *option;
  double limit; /* a share, seconds, US dollars or a count */
};
struct check_rules {
  struct check_rule list[CHECK_RULES_MAX];
  size_t count;
};
/* Those that were given.  -1: EXIT_CODE_USAGE, for a value that is not valid, and when no rule is
 * given. */
int check_rules_read(const struct arguments *arguments, struct check_rules *rules,
                     struct problem *problem);

/* -1: EXIT_CODE_USAGE, for a rule that can never be told about the runs of this window. */
int check_rules_fit(const struct check_rules *rules, const struct window *window,
                    struct problem *problem);
/* Where the window ends, which is now unless the command line says otherwise. */
int64_t check_rules_until(const struct window *window);

enum check_status { CHECK_MET, CHECK_UNMET, CHECK_TOO_FEW };
const char *check_rules_status_name(enum check_status status); /* "met", "unmet", "too_few" */

struct check_result {
  const struct check_rule *rule;
  enum check_status status;
  double value; /* NAN: unknown */
  char wanted[CHECK_TEXT_MAX], found[CHECK_TEXT_MAX];
};
struct check_subject {           /* one agent */
  const struct figures *figures; /* of the runs that the rules apply to */
  struct run_slice before;       /* all runs before these, oldest first */
  int64_t until_s;               /* where "the last 30 days" end */
};
void check_rules_apply(const struct check_rule *rule, const struct check_subject *subject,
                       struct check_result *result);

#endif
