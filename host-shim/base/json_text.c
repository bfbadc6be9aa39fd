/* json_text.c - JSON as text: members put into an object without touching what is there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json_text.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8_text.h"
#include "common/json_reader.h"
#include "common/json_writer.h"

struct scanned {         /* one member of an object, as offsets into its text */
  size_t name, name_end; /* with the quotes */
  size_t value, value_end;
};
struct scan {
  const char *text;
  size_t len, at;
};

static void skip_space(struct scan *scan) {
  while (scan->at < scan->len && strchr(" \t\r\n", scan->text[scan->at]) &&
         scan->text[scan->at] != '\0')
    scan->at++;
}

static bool skip_string(struct scan *scan) {
  if (scan->at >= scan->len || scan->text[scan->at] != '"')
    return false;
  for (scan->at++; scan->at < scan->len; scan->at++) {
    if (scan->text[scan->at] == '\\')
      scan->at++;
    else if (scan->text[scan->at] == '"')
      return scan->at++, true;
  }
  return false;
}

/* Skips to the comma or brace that ends a value; the value's own grammar is not checked. */
static bool skip_value(struct scan *scan) {
  size_t depth = 0;
  size_t start = scan->at;

  while (scan->at < scan->len) {
    char c = scan->text[scan->at];

    if (c == '"') {
      if (!skip_string(scan))
        return false;
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}'))
      return scan->at > start;
    if (c == '{' || c == '[')
      depth++;
    if (c == '}' || c == ']') {
      if (depth == 0)
        return false;
      depth--;
    }
    scan->at++;
  }
  return false;
}

static bool scan_open(struct scan *scan) {
  if (scan->len >= 3 && memcmp(scan->text, "\xEF\xBB\xBF", 3) == 0)
    scan->at = 3; /* a byte order mark, as some producers write */
  skip_space(scan);
  return scan->at < scan->len && scan->text[scan->at++] == '{';
}

/* 1: *member is the next one; 0: the object ended and only white space follows; -1: not an
 * object. */
static int scan_member(struct scan *scan, bool first, struct scanned *member) {
  skip_space(scan);
  if (scan->at < scan->len && scan->text[scan->at] == '}') {
    scan->at++;
    skip_space(scan);
    return scan->at == scan->len ? 0 : -1;
  }
  if (!first) {
    if (scan->at >= scan->len || scan->text[scan->at++] != ',')
      return -1;
    skip_space(scan);
  }
  member->name = scan->at;
  if (!skip_string(scan))
    return -1;
  member->name_end = scan->at;
  skip_space(scan);
  if (scan->at >= scan->len || scan->text[scan->at++] != ':')
    return -1;
  skip_space(scan);
  member->value = scan->at;
  if (!skip_value(scan))
    return -1;
  member->value_end = scan->at;
  while (strchr(" \t\r\n", scan->text[member->value_end - 1]))
    member->value_end--;
  return 1;
}

/* Compares as decoded text: "\u0061gent" is agent. */
static bool has_name(const struct scan *scan, const struct scanned *member, const char *name) {
  size_t len = member->name_end - member->name;
  const char *quoted = scan->text + member->name;

  if (!memchr(quoted, '\\', len))
    return strlen(name) == len - 2 && memcmp(quoted + 1, name, len - 2) == 0;
  size_t at = 0;
  const char *description = NULL;
  struct json_object *decoded = json_text_parse(quoted, len, &at, &description);
  bool same = decoded && strcmp(json_object_get_string(decoded), name) == 0;
  json_object_put(decoded);
  return same;
}

static const struct json_text_member *replacement(const struct scan *scan,
                                                  const struct scanned *member,
                                                  const struct json_text_members *members,
                                                  bool *kept) {
  for (size_t i = 0; i < members->count; i++)
    if (has_name(scan, member, members->list[i].name)) {
      kept[i] = members->list[i].weak;
      return members->list[i].weak ? NULL : &members->list[i];
    }
  return NULL;
}

/* kept[i]: member i is weak and the object has its own. */
static int write_spliced(struct scan *scan, const struct json_text_members *members, bool *kept,
                         FILE *out) {
  struct scanned member;
  int more = 0;
  const char *comma = "";
  if (!scan_open(scan))
    return -1;
  putc('{', out);
  for (bool first = true; (more = scan_member(scan, first, &member)) > 0; first = false) {
    if (replacement(scan, &member, members, kept))
      continue;
    fputs(comma, out);
    fwrite(scan->text + member.name, 1, member.name_end - member.name, out);
    putc(':', out);
    fwrite(scan->text + member.value, 1, member.value_end - member.value, out);
    comma = ",";
  }
  for (size_t i = 0; i < members->count; i++)
    if (!kept[i]) {
      char *name = json_text_quote(members->list[i].name);

      if (!name)
        return -1;
      fprintf(out, "%s%s:%s", comma, name, members->list[i].value);
      free(name);
      comma = ",";
    }
  putc('}', out);
  return more;
}

char *json_text_splice(const char *object, size_t len, const struct json_text_members *members) {
  struct scan scan = {.text = object, .len = len, .at = 0};
  char *text = NULL;
  size_t text_len = 0;
  bool *kept = calloc(members->count + 1, sizeof *kept);
  FILE *out = kept ? open_memstream(&text, &text_len) : NULL;
  int result = -1;

  if (out) {
    result = write_spliced(&scan, members, kept, out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
      free(text);
      text = NULL;
    }
  }
  free(kept);
  if (result < 0 && text) {
    free(text);
    errno = EINVAL;
    return NULL;
  }
  if (!text)
    errno = ENOMEM;
  return text;
}

const char *json_text_value(const char *object, size_t len, const char *name, size_t *value_len) {
  struct scan scan = {.text = object, .len = len, .at = 0};
  struct scanned member;
  const char *found = NULL;

  if (!scan_open(&scan))
    return NULL;
  for (bool first = true; scan_member(&scan, first, &member) > 0; first = false)
    if (has_name(&scan, &member, name)) {
      found = object + member.value;
      *value_len = member.value_end - member.value;
    }
  return found;
}

void json_text_members_free(struct json_text_members *members) {
  for (size_t i = 0; i < members->count; i++) {
    free(members->list[i].name);
    free(members->list[i].value);
  }
  free(members->list);
  *members = (struct json_text_members){.list = NULL};
}

struct json_text_member *json_text_members_find(const struct json_text_members *members,
                                                const char *name) {
  for (size_t i = 0; i < members->count; i++)
    if (strcmp(members->list[i].name, name) == 0)
      return &members->list[i];
  return NULL;
}

static int make_room(struct json_text_members *members) {
  if (members->count < members->room)
    return 0;
  size_t room = members->room == 0 ? 16 : members->room * 2;
  struct json_text_member *list = realloc(members->list, room * sizeof *list);
  if (!list)
    return -1;
  members->list = list;
  members->room = room;
  return 0;
}

/* Takes over `value`; NULL: it failed before. */
static int members_add(struct json_text_members *members, const char *name, char *value) {
  struct json_text_member *same = json_text_members_find(members, name);

  if (value && same) {
    free(same->value);
    same->value = value;
    return 0;
  }
  char *own_name = strdup(name);
  if (!value || !own_name || make_room(members) < 0) {
    free(own_name);
    free(value);
    return -1;
  }
  members->list[members->count++] =
      (struct json_text_member){.name = own_name, .value = value, .weak = false};
  return 0;
}

int json_text_members_add_json(struct json_text_members *members, const char *name,
                               const char *json) {
  return members_add(members, name, strdup(json));
}

int json_text_members_add_text(struct json_text_members *members, const char *name,
                               const char *text) {
  return members_add(members, name, json_text_quote(text));
}

int json_text_members_add_number(struct json_text_members *members, const char *name,
                                 double number) {
  char text[JSON_WRITER_DOUBLE_SIZE];
  (void)json_writer_format_double(number, text);

  return json_text_members_add_json(members, name, text);
}

char *json_text_quote(const char *text) {
  size_t room = strlen(text) * 6 + 3;
  char *quoted = malloc(room);

  if (!quoted)
    return NULL;
  char *at = quoted;
  *at++ = '"';
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;

    if (c < 0x20 || c == 0x7f)
      at += sprintf(at, "\\u%04x", c);
    else if (c == '"' || c == '\\')
      at += sprintf(at, "\\%c", c);
    else
      *at++ = *text;
  }
  *at++ = '"';
  *at = '\0';
  return quoted;
}

bool json_text_is_number(const char *text) {
  struct span all = {text, strlen(text)};
  struct json_value value;

  return json_reader_check(all, JSON_LENIENT, 0, &value, NULL) == 0 && value.type == JSON_NUMBER &&
         value.raw.len == all.len && strspn(text, "-+.eE0123456789") == all.len;
}

struct json_object *json_text_new_double(double number) {
  char text[JSON_WRITER_DOUBLE_SIZE];

  if (!isfinite(number))
    return NULL;
  (void)json_writer_format_double(number, text);
  return json_object_new_double_s(number, text);
}

struct json_object *json_text_new_string(const char *text) {
  char *valid = utf8_text_valid(text);
  struct json_object *string = json_object_new_string(valid ? valid : "");

  free(valid);
  return string;
}

/* The UTF-8 character at `text` as an escape of JSON, of two units above U+FFFF; its length, or 0
 * for what is not a character. */
static size_t escape_character(const char *text, size_t rest, char escape[16]) {
  unsigned char bytes[5] = {0};

  memcpy(bytes, text, rest < 4 ? rest : 4);
  size_t len = utf8_text_character((const char *)bytes);
  if (len == 0)
    return 0;
  unsigned code = bytes[0] & (0x7Fu >> len);
  for (size_t i = 1; i < len; i++)
    code = code << 6 | (bytes[i] & 0x3Fu);
  if (code > 0xFFFF)
    snprintf(escape, 16, "\\u%04x\\u%04x", 0xD800 + ((code - 0x10000) >> 10),
             0xDC00 + (code & 0x3FF));
  else
    snprintf(escape, 16, "\\u%04x", code);
  return len;
}

/* The length of the integer at `text` if it does not fit into 64 bits, else 0. */
static size_t long_integer(const char *text, size_t len) {
  static const char least[] = "9223372036854775808", most[] = "18446744073709551615";
  const char *limit = text[0] == '-' ? least : most;
  size_t begin = text[0] == '-', at = begin, limit_len = strlen(limit);

  while (at < len && text[at] >= '0' && text[at] <= '9')
    at++;
  if (at == begin || text[begin] == '0' || (at < len && strchr(".eE", text[at])))
    return 0;
  bool is_long = at - begin > limit_len ||
                 (at - begin == limit_len && memcmp(text + begin, limit, limit_len) > 0);
  return is_long ? at : 0;
}

/* Writes `text` to `out` (3 * len + 1 bytes) as json-c takes it, until `limit` bytes are written;
 * answers how many bytes of the text that is, less than `len` where it is not UTF-8. */
static size_t escape_text(const char *text, size_t len, size_t limit, char *out, size_t *written) {
  bool is_in_string = false, is_in_number = false;
  size_t at = 0;

  for (*written = 0; at < len && *written < limit;) {
    char escape[16] = {text[at], '\0'};
    size_t character = 1, integer = 0;

    if (!is_in_string && !is_in_number)
      integer = long_integer(text + at, len - at);
    if (integer > 0) {
      memcpy(out + *written, text + at, integer);
      memcpy(out + *written + integer, "e0", 3);
      *written += integer + 2;
      at += integer;
      continue;
    }
    is_in_string ^= text[at] == '"';
    is_in_number = text[at] != '\0' && strchr("+-.eE0123456789", text[at]);
    if ((unsigned char)text[at] >= 0x80)
      character = escape_character(text + at, len - at, escape);
    if (character == 0)
      break;
    memcpy(out + *written, escape, strlen(escape) + 1);
    *written += text[at] == '\0' ? 1 : strlen(escape);
    at += character;
    if (escape[0] == '\\' && escape[1] == '\0' && at < len && *written < limit) {
      /* an escape stays as it is; only some ASCII characters may be escaped */
      out[(*written)++] = (unsigned char)text[at] < 0x80 ? text[at] : ' ';
      for (at++; at < len && ((unsigned char)text[at] & 0xC0) == 0x80;)
        at++;
    }
  }
  return at;
}

/* json-c 0.18 in its strict mode refuses every character that is not ASCII, and integers of more
 * than 64 bits: so it gets the text with such characters as escapes and such integers as doubles,
 * and the place of an error is translated back. */
struct json_object *json_text_parse(const char *text, size_t len, size_t *problem_at,
                                    const char **description) {
  struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_LIMIT); /* as the plugin reads */
  struct json_object *value = NULL;
  enum json_tokener_error error;
  char *ascii = len <= INT_MAX / 4 ? malloc(len * 3 + 1) : NULL;
  size_t ascii_len;

  *problem_at = 0;
  *description = "out of memory";
  if (!tokener || !ascii)
    goto out;
  *problem_at = escape_text(text, len, SIZE_MAX, ascii, &ascii_len);
  if (*problem_at < len) {
    *description = json_tokener_error_desc(json_tokener_error_parse_utf8_string);
    goto out;
  }
  json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
  value = json_tokener_parse_ex(tokener, ascii, (int)ascii_len);
  if (!value && json_tokener_get_error(tokener) == json_tokener_continue)
    value = json_tokener_parse_ex(tokener, "", 1); /* a bare number ends only at the end of the
                                                    * text */
  if (value)
    goto out;
  error = json_tokener_get_error(tokener);
  if (error != json_tokener_error_parse_eof)
    *problem_at = escape_text(text, len, json_tokener_get_parse_end(tokener), ascii, &ascii_len);
  *description = error == json_tokener_success ? "null is not a document"
                 : error == json_tokener_continue || error == json_tokener_error_parse_eof
                     ? "unexpected end"
                     : json_tokener_error_desc(error);
out:
  free(ascii);
  if (tokener)
    json_tokener_free(tokener);
  return value;
}
