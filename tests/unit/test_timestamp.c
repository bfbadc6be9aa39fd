/* test_timestamp.c - ISO 8601 text to seconds and back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/timestamp.h"

static int parse(const char *text, int64_t *seconds) {
  return timestamp_parse((struct span){text, strlen(text)}, seconds);
}

Test(timestamp, reads_iso_8601_with_an_offset) {
  static const struct {
    const char *text;
    int64_t seconds;
  } cases[] = {{"1970-01-01T00:00:00Z", 0},
               {"9999-12-31T23:59:59Z", TIMESTAMP_MAX_S},
               {"2026-03-04T05:06:07Z", 1772600767},
               {"2026-03-04t05:06:07z", 1772600767},
               {"2026-03-04 05:06:07Z", 1772600767},
               {"2026-03-04T05:06:07+00:00", 1772600767},
               {"2026-03-04T05:06:07-00:00", 1772600767},
               {"2026-03-04T06:06:07+01:00", 1772600767},
               {"2026-03-03T23:36:07-0530", 1772600767},
               {"2026-03-04T14:06:07+09", 1772600767},
               {"2026-03-04T05:06:07.999999999999Z", 1772600767},
               {"2026-03-04T05:06:07,5+00:00", 1772600767},
               {"2026-03-04T05:06Z", 1772600760},
               {"20260304T050607Z", 1772600767},
               {"20260304T0506Z", 1772600760},
               {"2024-02-29T00:00:00Z", 1709164800},
               {"2000-02-29T00:00:00Z", 951782400},
               {"2038-01-19T03:14:08Z", INT64_C(2147483648)},
               {"1969-12-31T23:00:00-01:00", 0},
               {"2016-12-31T23:59:60Z", 1483228800}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t seconds = -7;
    cr_expect_eq(parse(cases[i].text, &seconds), 0, "%s is refused", cases[i].text);
    cr_expect_eq(seconds, cases[i].seconds, "%s is read as %lld", cases[i].text,
                 (long long)seconds);
  }
}

Test(timestamp, refuses_what_is_no_time_or_none_it_can_keep) {
  static const char *const cases[] = {
      "",
      "Z",
      "2026-03-04",
      "2026-03-04T05:06:07",
      "2026-03-04T05:06:07 Z",
      " 2026-03-04T05:06:07Z",
      "2026-03-04T05:06:07Z ",
      "2026-03-04T05:06:07ZZ",
      "2026-03-04_05:06:07Z",
      "2026-13-04T05:06:07Z",
      "2026-00-04T05:06:07Z",
      "2026-03-00T05:06:07Z",
      "2026-02-29T05:06:07Z",
      "1900-02-29T05:06:07Z",
      "2100-02-29T05:06:07Z",
      "2026-04-31T05:06:07Z",
      "2026-03-04T24:00:00Z",
      "2026-03-04T05:60:07Z",
      "2026-03-04T05:06:61Z",
      "2026-03-04T05:06:07.Z",
      "2026-03-04T05:06:07+1",
      "2026-03-04T05:06:07+24:00",
      "2026-03-04T05:06:07+01:60",
      "2026-03-04T05:06:07+01:",
      "2026-03-04T05:06:07+0100x",
      "2026-3-04T05:06:07Z",
      "-026-03-04T05:06:07Z",
      "+2026-03-04T05:06:07Z",
      "2026-W10-3T05:06:07Z",
      "1969-12-31T23:59:59Z",
      "1970-01-01T00:00:00+00:01",
      "9999-12-31T23:59:59-00:01",
      "0000-01-01T00:00:00Z",
      "yesterday",
      "1772600767",
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t seconds = -7;
    cr_expect_eq(parse(cases[i], &seconds), -1, "%s is read as %lld", cases[i], (long long)seconds);
    cr_expect_eq(seconds, -7, "%s: the result was touched", cases[i]);
  }
  int64_t seconds;
  cr_expect_eq(timestamp_parse((struct span){NULL, 0}, &seconds), -1);
}

Test(timestamp, prints_every_day_as_the_calendar_has_it) {
  for (int64_t day = 0; day <= TIMESTAMP_MAX_S / 86400; day += 11) {
    time_t seconds = (time_t)(day * 86400 + day % 86400);
    char expected[64], printed[TIMESTAMP_TEXT_SIZE];
    struct tm broken;
    int64_t back = -1;
    gmtime_r(&seconds, &broken);
    strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &broken);
    timestamp_format(seconds, printed);
    if (strcmp(printed, expected) != 0 || parse(printed, &back) != 0 || back != seconds)
      cr_assert_fail("%lld: %s, not %s; back as %lld", (long long)seconds, printed, expected,
                     (long long)back);
  }
}

Test(timestamp, keeps_to_four_digit_years_whatever_it_is_given) {
  char printed[TIMESTAMP_TEXT_SIZE];
  timestamp_format(INT64_MIN, printed);
  cr_assert_str_eq(printed, "1970-01-01T00:00:00Z");
  timestamp_format(INT64_MAX, printed);
  cr_assert_str_eq(printed, "9999-12-31T23:59:59Z");
}
