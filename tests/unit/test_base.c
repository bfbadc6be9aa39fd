/* test_base.c - the smallest pieces: growable bytes, error texts, UTF-8, UUIDs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <kaizen/plugin.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/uuid.h"
#include "common/utf8.h"

static struct span text(const char *bytes) {
  return (struct span){bytes, strlen(bytes)};
}

/* Buffers. */

Test(buffer, grows_and_keeps_what_it_holds) {
  struct buffer buffer = {0};
  for (int i = 0; i < 10000; i++)
    buffer_append_text(&buffer, "0123456789");
  cr_assert_not(buffer.failed);
  cr_assert_eq(buffer.len, 100000);
  for (size_t i = 0; i < buffer.len; i++)
    cr_assert_eq(buffer.data[i], (char)('0' + i % 10));
  buffer_fini(&buffer);
  cr_assert_null(buffer.data);
}

Test(buffer, clearing_keeps_the_memory) {
  struct buffer buffer = {0};
  buffer_append_text(&buffer, "abc");
  char *memory = buffer.data;
  buffer_clear(&buffer);
  buffer_append_byte(&buffer, 'x');
  cr_assert_eq(buffer.data, memory);
  cr_assert(span_is(buffer_span(&buffer), "x"));
  buffer_fini(&buffer);
}

Test(buffer, a_failed_allocation_is_remembered_and_harms_nothing) {
  struct buffer buffer = {0};
  buffer_append_text(&buffer, "kept");
  cr_assert_null(buffer_reserve(&buffer, SIZE_MAX / 2));
  buffer_append_text(&buffer, " not this");
  cr_assert(buffer.failed);
  cr_assert(span_is(buffer_span(&buffer), "kept"));
  buffer_fini(&buffer);
}

Test(buffer, spans_compare_by_content) {
  cr_assert(span_equal((struct span){NULL, 0}, text("")));
  cr_assert(span_equal(text("ab"), (struct span){"abc", 2}));
  cr_assert_not(span_is(text("ab"), "abc"));
}

/* Times. */

Test(clock, nanoseconds_end_where_they_can_tell_no_more) {
  cr_assert_eq(clock_ns_of(2, 5), INT64_C(2000000005));
  cr_assert_eq(clock_ns_of(-2, 5), -INT64_C(1999999995));
  cr_assert_eq(clock_ns_of(INT64_C(9223372036), 854775807), INT64_MAX);
  cr_assert_eq(clock_ns_of(INT64_C(9223372036), 854775808), INT64_MAX);
  cr_assert_eq(clock_ns_of(INT64_C(253402300799), 0), INT64_MAX);
  cr_assert_eq(clock_ns_of(-INT64_C(253402300799), 0), INT64_MIN);
}

Test(clock, no_time_that_is_left_means_forever) {
  cr_assert_eq(clock_left_ms(INT64_MIN / 2), 1);
  cr_assert_eq(clock_left_ms(clock_monotonic_ns()), 1);
  cr_assert_gt(clock_left_ms(INT64_MAX), INT64_C(1000) * 3600);
}

/* Errors. */

Test(error, is_always_answered_with_minus_one) {
  struct error error;
  cr_assert_eq(error_set(&error, KAIZEN_E_IO, "%s %d", "disk", 7), -1);
  cr_assert_eq(error.code, KAIZEN_E_IO);
  cr_assert_eq(error.os_error, 0);
  cr_assert_str_eq(error.text, "disk 7");
  cr_assert_eq(error_set(NULL, KAIZEN_E_IO, "nobody asked"), -1);
  cr_assert_eq(error_set_errno(NULL, KAIZEN_E_IO, ENOSPC, "nobody asked"), -1);
  error_prefix(NULL, "nobody");
}

Test(error, names_what_the_system_said) {
  struct error error;
  error_set_errno(&error, KAIZEN_E_IO, ENOSPC, "cannot write %s", "log");
  cr_assert_eq(error.os_error, ENOSPC);
  cr_assert_str_eq(error.text, "cannot write log: No space left on device");
  error_set_errno(&error, KAIZEN_E_IO, 99999, "odd");
  cr_assert_str_eq(error.text, "odd: error 99999");
}

Test(error, context_stands_in_front) {
  struct error error;
  error_set(&error, KAIZEN_E_IO, "no space");
  error_prefix(&error, "agent %s", "coach");
  cr_assert_str_eq(error.text, "agent coach: no space");
}

Test(error, long_texts_are_cut_between_characters) {
  struct error error;
  for (int shift = 0; shift < 8; shift++) {
    char long_text[ERROR_TEXT_MAX * 4 + 16];
    size_t len = 0;
    memset(long_text, 'x', (size_t)shift);
    for (len = (size_t)shift; len + 4 < sizeof long_text; len += 4)
      memcpy(long_text + len, "\xF0\x9F\x98\x80", 4);
    long_text[len] = '\0';
    error_set(&error, KAIZEN_E_IO, "%s", long_text);
    cr_assert(utf8_valid(text(error.text)), "shift %d", shift);
    cr_assert_geq(strlen(error.text), ERROR_TEXT_MAX - 5, "shift %d", shift);
    error_prefix(&error, "prefix");
    cr_assert(utf8_valid(text(error.text)), "shift %d, prefixed", shift);
    error_set_errno(&error, KAIZEN_E_IO, EIO, "%s", long_text);
    cr_assert(utf8_valid(text(error.text)), "shift %d, system error", shift);
  }
}

/* UTF-8. */

Test(utf8, accepts_every_code_point_but_surrogates_and_nothing_else) {
  for (uint32_t code_point = 0; code_point < 0x110000; code_point++) {
    char bytes[4];
    size_t n = utf8_encode(code_point, bytes);
    bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    if (utf8_valid((struct span){bytes, n}) == surrogate)
      cr_assert_fail("U+%04X", code_point);
    if (n > 1 && utf8_valid((struct span){bytes, n - 1}))
      cr_assert_fail("U+%04X without its last byte", code_point);
  }
}

Test(utf8, refuses_what_is_not_utf8) {
  static const struct {
    const char *name, *bytes;
  } cases[] = {{"lone continuation", "\x80"},
               {"overlong slash", "\xC0\xAF"},
               {"overlong in three bytes", "\xE0\x9F\xBF"},
               {"overlong in four bytes", "\xF0\x8F\xBF\xBF"},
               {"above U+10FFFF", "\xF4\x90\x80\x80"},
               {"byte F5", "\xF5\x80\x80\x80"},
               {"byte FF", "\xFF"},
               {"surrogate", "\xED\xA0\x80"},
               {"cut character", "12345678\xE2\x82"},
               {"character cut by an ASCII one", "\xE2\x82x"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    cr_assert_not(utf8_valid(text(cases[i].bytes)), "%s", cases[i].name);
  cr_assert(utf8_valid((struct span){NULL, 0}));
}

Test(utf8, cuts_only_between_characters) {
  struct span euro = text("a\xE2\x82\xAC"
                          "b");
  cr_assert_eq(utf8_cut(euro, 0), 0);
  cr_assert_eq(utf8_cut(euro, 1), 1);
  cr_assert_eq(utf8_cut(euro, 2), 1);
  cr_assert_eq(utf8_cut(euro, 3), 1);
  cr_assert_eq(utf8_cut(euro, 4), 4);
  cr_assert_eq(utf8_cut(euro, 99), 5);
}

Test(utf8, shows_any_bytes_in_a_message) {
  char out[UTF8_SHOWN_SIZE];
  cr_assert_str_eq(utf8_show(text("plain \xC3\xA9"), out), "plain \xC3\xA9");
  cr_assert_str_eq(utf8_show(text("a\nb\x7F"), out), "a\\x0ab\\x7f");
  cr_assert_str_eq(utf8_show(text("\xFFz"), out), "\\xffz");
  cr_assert_str_eq(utf8_show(text("\xC2\x85\xE2\x80\xA8"), out), "\\xc2\\x85\\xe2\\x80\\xa8");
  cr_assert_str_eq(utf8_show((struct span){"\0", 1}, out), "\\x00");
  cr_assert_str_eq(utf8_show((struct span){NULL, 0}, out), "");
}

Test(utf8, a_shown_value_is_cut_with_dots) {
  char out[UTF8_SHOWN_SIZE], long_text[200];
  memset(long_text, 'y', sizeof long_text);
  utf8_show((struct span){long_text, UTF8_SHOWN_MAX}, out);
  cr_assert_eq(strlen(out), UTF8_SHOWN_MAX);
  utf8_show((struct span){long_text, sizeof long_text}, out);
  cr_assert_eq(strlen(out), UTF8_SHOWN_MAX + 3);
  cr_assert_str_eq(out + UTF8_SHOWN_MAX, "...");
  memset(long_text, '\x01', sizeof long_text);
  cr_assert_leq(strlen(utf8_show((struct span){long_text, sizeof long_text}, out)),
                UTF8_SHOWN_MAX + 3);
}

/* UUIDs. */

Test(uuid, random_ones_have_version_4_and_differ) {
  char a[UUID_TEXT_SIZE], b[UUID_TEXT_SIZE];
  uuid_random(a);
  uuid_random(b);
  cr_assert(uuid_is_text(text(a)), "%s", a);
  cr_assert_eq(a[14], '4');
  cr_assert(strchr("89ab", a[19]), "%s", a);
  cr_assert_str_neq(a, b);
}

Test(uuid, text_is_checked_place_by_place) {
  cr_assert(uuid_is_text(text("8D5A0F3E-6f5b-5c1e-9d0a-3c6f7b2e4a91")));
  cr_assert_not(uuid_is_text(text("8d5a0f3e-6f5b-5c1e-9d0a-3c6f7b2e4a9")));
  cr_assert_not(uuid_is_text(text("8d5a0f3e-6f5b-5c1e-9d0a-3c6f7b2e4a911")));
  cr_assert_not(uuid_is_text(text("8d5a0f3e-6f5b-5c1e-9d0a-3c6f7b2e4a9g")));
  cr_assert_not(uuid_is_text(text("8d5a0f3e06f5b-5c1e-9d0a-3c6f7b2e4a91")));
  cr_assert_not(uuid_is_text(text("{d5a0f3e-6f5b-5c1e-9d0a-3c6f7b2e4a91")));
  cr_assert_not(uuid_is_text((struct span){NULL, 0}));
}

Test(uuid, packing_is_undone_by_unpacking_in_lower_case) {
  unsigned char bytes[16];
  char out[UUID_TEXT_SIZE];
  uuid_pack("8D5A0F3E-6F5B-5C1E-9D0A-3C6F7B2E4A91", bytes);
  cr_assert_eq(bytes[0], 0x8D);
  cr_assert_eq(bytes[15], 0x91);
  uuid_unpack(bytes, out);
  cr_assert_str_eq(out, "8d5a0f3e-6f5b-5c1e-9d0a-3c6f7b2e4a91");
}
