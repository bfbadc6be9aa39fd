/* agent_name.c - the grammar of agent names, and the one mapping into it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A name becomes a folder, and a folder that Python's optimizer owns must never be one of them. */
#include "record/agent_name.h"

#include <string.h>

#include <kaizen/plugin.h>

#include "common/utf8.h"

#define RESERVED_NAME "optimizer"

enum { HASH_DIGITS = 6 };

static bool may_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool may_follow(char c) {
  return may_start(c) || c == '-' || c == '.';
}

static size_t first_illegal(struct span agent) {
  size_t i = 0;
  while (i < agent.len && (i == 0 ? may_start(agent.ptr[i]) : may_follow(agent.ptr[i])))
    i++;
  return i;
}

static int refuse_character(struct span agent, size_t at, struct error *error) {
  char name[UTF8_SHOWN_SIZE], character[UTF8_SHOWN_SIZE];
  size_t n = utf8_sequence(agent.ptr + at, agent.ptr + agent.len);
  utf8_show(agent, name);
  utf8_show((struct span){agent.ptr + at, n ? n : 1}, character);
  if (at == 0)
    return error_set(error, KAIZEN_E_REJECTED,
                     "agent \"%s\" starts with \"%s\"; start it with a letter, a digit or _", name,
                     character);
  return error_set(
      error, KAIZEN_E_REJECTED,
      "agent \"%s\" has the character \"%s\"; only letters, digits, _ - and . are allowed", name,
      character);
}

int agent_name_check(struct span agent, struct error *error) {
  char name[UTF8_SHOWN_SIZE];
  if (!agent.ptr)
    return error_set(error, KAIZEN_E_REJECTED, "agent is missing; name the agent that ran");
  if (agent.len == 0)
    return error_set(error, KAIZEN_E_REJECTED, "agent is empty; name the agent that ran");
  size_t illegal = first_illegal(agent);
  if (illegal < agent.len)
    return refuse_character(agent, illegal, error);
  if (agent.len > AGENT_NAME_MAX)
    return error_set(error, KAIZEN_E_REJECTED,
                     "agent \"%s\" has %zu characters; at most %d are allowed",
                     utf8_show(agent, name), agent.len, AGENT_NAME_MAX);
  if (agent.ptr[agent.len - 1] == '.')
    return error_set(error, KAIZEN_E_REJECTED, "agent \"%s\" ends with a dot; remove the dot",
                     utf8_show(agent, name));
  if (span_is(agent, RESERVED_NAME))
    return error_set(error, KAIZEN_E_REJECTED,
                     "agent \"" RESERVED_NAME "\" is a reserved name; choose another");
  return 0;
}

/* FNV-1a, folded.  Part of the mapping that everybody shares: it never changes. */
static uint32_t name_hash(struct span name) {
  uint64_t hash = UINT64_C(0xCBF29CE484222325);
  for (size_t i = 0; i < name.len; i++)
    hash = (hash ^ (unsigned char)name.ptr[i]) * UINT64_C(0x100000001B3);
  return (uint32_t)(hash ^ hash >> 24 ^ hash >> 48) & 0xFFFFFF;
}

/* The legal characters in lower case, one - for each run of others; at most `max` of them, with
 * legal ends. */
static size_t legal_part(struct span name, size_t max, char *out) {
  size_t len = 0;
  for (size_t i = 0; i < name.len && len < max; i++) {
    char c = name.ptr[i];
    if (!may_follow(c))
      c = '-';
    if (len == 0 ? may_start(c) : c != '-' || out[len - 1] != '-')
      out[len++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  while (len > 0 && (out[len - 1] == '-' || out[len - 1] == '.'))
    len--;
  return len;
}

int agent_name_map(struct span name, char out[AGENT_NAME_MAX + 1], struct error *error) {
  static const char hex[] = "0123456789abcdef", fallback[] = "agent";
  char shown[UTF8_SHOWN_SIZE];
  out[0] = '\0';
  if (name.len == 0)
    return error_set(error, KAIZEN_E_REJECTED,
                     "agent is missing or empty; name the agent that ran");
  if (!utf8_valid(name))
    return error_set(error, KAIZEN_E_REJECTED, "agent \"%s\" is not UTF-8; convert it",
                     utf8_show(name, shown));
  if (agent_name_check(name, NULL) == 0) {
    memcpy(out, name.ptr, name.len);
    out[name.len] = '\0';
    return 0;
  }
  size_t len = legal_part(name, AGENT_NAME_MAX - HASH_DIGITS - 1, out);
  if (len == 0) {
    len = sizeof fallback - 1;
    memcpy(out, fallback, len);
  }
  out[len++] = '-';
  uint32_t hash = name_hash(name);
  for (int shift = 4 * (HASH_DIGITS - 1); shift >= 0; shift -= 4)
    out[len++] = hex[hash >> shift & 15];
  out[len] = '\0';
  return 1;
}
