/* timestamp.c - ISO 8601 text and seconds since 1970, by the civil calendar's own arithmetic.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/timestamp.h"

enum { DAY_S = 86400, DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468 };

/* The calendar, with years that start in March so that a leap day is the last of its year (days
 * since 0000-03-01). */

static int64_t days_from_date(int64_t year, int month, int day) {
  year -= month <= 2;
  int64_t era = year / 400, year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
         day_of_year - DAYS_TO_1970;
}

static void date_from_days(int64_t days, int *year, int *month, int *day) {
  int64_t shifted = days + DAYS_TO_1970;
  int era = (int)(shifted / DAYS_PER_ERA), of_era = (int)(shifted % DAYS_PER_ERA);
  int year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int shifted_month = (5 * day_of_year + 2) / 153;

  *day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  *month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  *year = year_of_era + era * 400 + (*month <= 2);
}

static int days_in_month(int year, int month) {
  static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

  return month == 2 && leap ? 29 : days[month - 1];
}

/* The text. */

struct scan {
  const char *at, *end;
};

static bool pass_byte(struct scan *scan, char byte) {
  if (scan->at == scan->end || *scan->at != byte)
    return false;
  scan->at++;
  return true;
}

static bool pass_number(struct scan *scan, int width, int *out) {
  if (scan->end - scan->at < width)
    return false;
  *out = 0;
  for (; width > 0; width--, scan->at++) {
    if (*scan->at < '0' || *scan->at > '9')
      return false;
    *out = *out * 10 + (*scan->at - '0');
  }
  return true;
}

static bool pass_date(struct scan *scan, int64_t *days) {
  int year, month, day;

  if (!pass_number(scan, 4, &year))
    return false;
  bool extended = pass_byte(scan, '-');
  if (!pass_number(scan, 2, &month) || (extended && !pass_byte(scan, '-')) ||
      !pass_number(scan, 2, &day))
    return false;
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
    return false;
  *days = days_from_date(year, month, day);
  return true;
}

static bool pass_fraction(struct scan *scan) {
  if (!pass_byte(scan, '.') && !pass_byte(scan, ','))
    return true;
  const char *from = scan->at;
  while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
    scan->at++;
  return scan->at > from;
}

static bool pass_time(struct scan *scan, int *second_of_day) {
  int hour, minute, second = 0;

  if (!pass_number(scan, 2, &hour))
    return false;
  bool extended = pass_byte(scan, ':');
  if (!pass_number(scan, 2, &minute))
    return false;
  bool has_second = extended ? pass_byte(scan, ':')
                             : scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
  if (has_second && (!pass_number(scan, 2, &second) || !pass_fraction(scan)))
    return false;
  if (hour > 23 || minute > 59 || second > 60)
    return false;
  *second_of_day = hour * 3600 + minute * 60 + second;
  return true;
}

static bool pass_offset(struct scan *scan, int *seconds) {
  int hour, minute = 0;

  *seconds = 0;
  if (pass_byte(scan, 'Z') || pass_byte(scan, 'z'))
    return true;
  bool west = pass_byte(scan, '-');
  if ((!west && !pass_byte(scan, '+')) || !pass_number(scan, 2, &hour))
    return false;
  bool colon = pass_byte(scan, ':');
  if ((colon || scan->at < scan->end) && !pass_number(scan, 2, &minute))
    return false;
  *seconds = (hour * 3600 + minute * 60) * (west ? -1 : 1);
  return hour <= 23 && minute <= 59;
}

int timestamp_parse(struct span text, int64_t *seconds) {
  struct scan scan = {text.ptr, text.len ? text.ptr + text.len : text.ptr};
  int64_t days;
  int second_of_day, offset;

  if (!pass_date(&scan, &days))
    return -1;
  if (!pass_byte(&scan, 'T') && !pass_byte(&scan, 't') && !pass_byte(&scan, ' '))
    return -1;
  if (!pass_time(&scan, &second_of_day) || !pass_offset(&scan, &offset) || scan.at != scan.end)
    return -1;
  int64_t result = days * DAY_S + second_of_day - offset;
  if (result < 0 || result > TIMESTAMP_MAX_S)
    return -1;
  *seconds = result;
  return 0;
}

static char *put_number(char *out, int number, int width) {
  for (int i = width - 1; i >= 0; i--, number /= 10)
    out[i] = (char)('0' + number % 10);
  return out + width;
}

void timestamp_format(int64_t seconds, char out[TIMESTAMP_TEXT_SIZE]) {
  int year, month, day;

  seconds = seconds < 0 ? 0 : seconds > TIMESTAMP_MAX_S ? TIMESTAMP_MAX_S : seconds;
  date_from_days(seconds / DAY_S, &year, &month, &day);
  int rest = (int)(seconds % DAY_S);
  out = put_number(out, year, 4);
  *out++ = '-';
  out = put_number(out, month, 2);
  *out++ = '-';
  out = put_number(out, day, 2);
  *out++ = 'T';
  out = put_number(out, rest / 3600, 2);
  *out++ = ':';
  out = put_number(out, rest / 60 % 60, 2);
  *out++ = ':';
  out = put_number(out, rest % 60, 2);
  *out++ = 'Z';
  *out = '\0';
}
