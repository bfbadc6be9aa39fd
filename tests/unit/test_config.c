/* test_config.c - what a configuration may say, and what a refusal says back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <kaizen/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json_reader.h"
#include "config/config.h"
#include "config/config_report.h"
#include "config/config_schema.h"

static struct config config;
static struct config_origins origins;
static struct error error;

static void set_up(void) {
  unsetenv("NATS_URL");
  unsetenv("KAIZEN_PROJECT_SLUG");
  config_init(&config, &origins);
}

static void tear_down(void) {
  config_fini(&config);
}

TestSuite(config, .init = set_up, .fini = tear_down);

static struct span text(const char *bytes) {
  return (struct span){bytes, strlen(bytes)};
}

static int merge(const char *json) {
  return config_merge_json(&config, &origins, text(json), &error);
}

static int merge_text(const char *key, const char *value) {
  return config_merge_text(&config, &origins, key, text(value), &error);
}

static int finish(void) {
  return config_finish(&config, &origins, &error);
}

static void must_say(const char *name, const char *part) {
  cr_assert(strstr(error.text, part), "%s: \"%s\" is missing in: %s", name, part, error.text);
}

Test(config, defaults_are_those_of_the_contract) {
  cr_assert_eq(merge("{\"project_root\": \"/srv/shop\"}"), 0, "%s", error.text);
  cr_assert_eq(finish(), 0, "%s", error.text);
  cr_assert_str_eq(config.project_root, "/srv/shop");
  cr_assert_not(config.emit_event);
  cr_assert_eq(config.publish, CONFIG_PUBLISH_JETSTREAM);
  cr_assert_eq(config.delivery, CONFIG_DELIVERY_IN_PROCESS);
  cr_assert_eq(config.fsync, CONFIG_FSYNC_NEVER);
  cr_assert_eq(config.retention_days, 180);
  cr_assert_eq(config.trend_window, 10);
  cr_assert_eq(config.lock_timeout_ms, 2000);
  cr_assert_eq(config.max_record_bytes, 65536);
  cr_assert_not(config.allow_network_fs);
  cr_assert_str_eq(config.nats_url, "nats://localhost:4222");
  cr_assert_str_eq(config.nats_creds, "");
  cr_assert_str_eq(config.stream, "");
}

Test(config, json_sets_a_key_of_every_type) {
  cr_assert_eq(
      merge(
          "{\"project_root\":\"/srv/shop\",\"project\":\"caf\\u00e9\",\"emit_event\":true,"
          "\"publish\":\"core\",\"delivery\":\"relay\",\"fsync\":\"always\","
          "\"nats_url\":\"nats://a:4222, tls://b:4222\",\"retention_days\":0,\"trend_window\":64}"),
      0, "%s", error.text);
  cr_assert_str_eq(config.project, "caf\xC3\xA9");
  cr_assert(config.emit_event);
  cr_assert_eq(config.publish, CONFIG_PUBLISH_CORE);
  cr_assert_eq(config.delivery, CONFIG_DELIVERY_RELAY);
  cr_assert_eq(config.fsync, CONFIG_FSYNC_ALWAYS);
  cr_assert_str_eq(config.nats_url, "nats://a:4222, tls://b:4222");
  cr_assert_eq(config.retention_days, 0);
  cr_assert_eq(config.trend_window, 64);
}

Test(config, what_the_schema_takes_is_taken) {
  char slug[255 * 2 + 1];
  char json[sizeof slug + 32];

  cr_assert_eq(merge("{\"trend_window\":5.0,\"retention_days\":1e1,\"lock_timeout_ms\":20e-1}"), 0,
               "%s", error.text);
  cr_expect_eq(config.trend_window, 5);
  cr_expect_eq(config.retention_days, 10);
  cr_expect_eq(config.lock_timeout_ms, 2);
  cr_assert_eq(merge("{\"project_root\":\"\"}"), 0, "an empty root is not set");
  slug[0] = '\0';
  for (int i = 0; i < 255; i++) /* lengths are counted in characters on both sides */
    strcat(slug, "\xC3\xA9");
  (void)snprintf(json, sizeof json, "{\"project\":\"%s\"}", slug);
  cr_assert_eq(merge(json), 0, "%s", error.text);
  (void)snprintf(json, sizeof json, "{\"project\":\"%se\"}", slug);
  cr_assert_eq(merge(json), -1);
}

Test(config, no_text_at_all_is_an_empty_object) {
  static const char *const texts[] = {"", " \n\t", "{}"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    cr_assert_eq(merge(texts[i]), 0, "case %zu: %s", i, error.text);
  cr_assert_eq(config_merge_json(&config, &origins, (struct span){NULL, 0}, &error), 0);
}

Test(config, later_values_replace_earlier_ones) {
  cr_assert_eq(merge("{\"project\":\"one\",\"lock_timeout_ms\":5}"), 0);
  cr_assert_eq(merge("{\"project\":\"two\"}"), 0);
  cr_assert_eq(merge_text("lock_timeout_ms", "7"), 0);
  cr_assert_str_eq(config.project, "two");
  cr_assert_eq(config.lock_timeout_ms, 7);
}

Test(config, plain_text_is_read_as_the_keys_type) {
  cr_assert_eq(merge_text("emit_event", "true"), 0, "%s", error.text);
  cr_assert_eq(merge_text("retention_days", "365"), 0, "%s", error.text);
  cr_assert_eq(merge_text("publish", "core"), 0, "%s", error.text);
  cr_assert_eq(merge_text("project_root", "/srv/a \"quoted\" \\ name"), 0, "%s", error.text);
  cr_assert(config.emit_event);
  cr_assert_eq(config.retention_days, 365);
  cr_assert_eq(config.publish, CONFIG_PUBLISH_CORE);
  cr_assert_str_eq(config.project_root, "/srv/a \"quoted\" \\ name");
}

Test(config, an_empty_text_takes_a_value_back) {
  cr_assert_eq(merge("{\"project_root\":\"/srv/shop\",\"project\":\"other\"}"), 0);
  cr_assert_eq(merge_text("project", ""), 0);
  cr_assert_eq(finish(), 0, "%s", error.text);
  cr_assert_str_eq(config.project, "shop");
}

struct refusal {
  const char *name, *json, *says[3];
};

Test(config, refusals_name_the_key_the_value_and_what_is_allowed) {
  static const struct refusal refusals[] = {
      {"a mistyped key",
       "{\"emit_events\":true}",
       {"unknown key \"emit_events\"", "\"emit_event\""}},
      {"a shortened key", "{\"url\":\"nats://a\"}", {"unknown key \"url\"", "\"nats_url\""}},
      {"a key in another case", "{\"Fsync\":\"never\"}", {"unknown key \"Fsync\"", "\"fsync\""}},
      {"an empty key", "{\"\":1}", {"unknown key \"\""}},
      {"a switch as text",
       "{\"emit_event\":\"true\"}",
       {"emit_event", "\"true\"", "true or false"}},
      {"a switch as number", "{\"emit_event\":1}", {"emit_event", "1", "true or false"}},
      {"a number as text", "{\"trend_window\":\"10\"}", {"trend_window", "\"10\"", "from 1 to 64"}},
      {"a number with a fraction",
       "{\"trend_window\":10.5}",
       {"trend_window", "10.5", "a whole number"}},
      {"a number with an exponent",
       "{\"trend_window\":1e99}",
       {"trend_window", "1e99", "a whole number"}},
      {"a number too large",
       "{\"retention_days\":36501}",
       {"retention_days", "36501", "from 0 to 36500"}},
      {"a number too small",
       "{\"max_record_bytes\":1023}",
       {"max_record_bytes", "1023", "from 1024 to 1048576"}},
      {"a negative number",
       "{\"lock_timeout_ms\":-1}",
       {"lock_timeout_ms", "-1", "from 1 to 600000"}},
      {"a number beyond 64 bits",
       "{\"lock_timeout_ms\":18446744073709551617}",
       {"lock_timeout_ms", "18446744073709551617", "from 1 to 600000"}},
      {"null", "{\"retention_days\":null}", {"retention_days", "null"}},
      {"an array", "{\"project\":[\"a\"]}", {"project", "[\"a\"]"}},
      {"an unknown word",
       "{\"fsync\":\"sometimes\"}",
       {"fsync", "\"sometimes\"", "\"never\" or \"always\""}},
      {"a relative root", "{\"project_root\":\"shop\"}", {"project_root", "\"shop\"", "absolute"}},
      {"a relative file", "{\"nats_ca\":\"ca.pem\"}", {"nats_ca", "\"ca.pem\"", "absolute"}},
      {"a control character", "{\"project\":\"a\\u0007b\"}", {"project", "a\\x07b", "control"}},
      {"a zero byte", "{\"project\":\"a\\u0000b\"}", {"project", "control"}},
      {"a C1 control character", "{\"project\":\"a\\u0085b\"}", {"project", "control"}},
      {"a slug with a slash", "{\"project\":\"a/b\"}", {"project", "\"a/b\"", "without \"/\""}},
      {"a stream with a dot", "{\"stream\":\"A.B\"}", {"stream", "\"A.B\"", "none of"}},
      {"a scheme that is not NATS",
       "{\"nats_url\":\"http://a\"}",
       {"nats_url", "http://a", "nats://HOST:PORT"}},
      {"a URL list with a hole",
       "{\"nats_url\":\"nats://a,,nats://b\"}",
       {"nats_url", "nats://HOST:PORT"}},
      {"a key given twice", "{\"fsync\":\"never\",\"fsync\":\"always\"}", {"fsync is given twice"}},
      {"a key given twice, once escaped",
       "{\"fsync\":\"never\",\"fs\\u0079nc\":\"always\"}",
       {"fsync is given twice"}},
      {"text after the object", "{} {}", {"configuration"}},
      {"single quotes", "{'emit_event':true}", {"configuration"}},
      {"a comma at the end", "{\"emit_event\":true,}", {"configuration"}},
      {"a comment", "{/* on */\"emit_event\":true}", {"configuration"}},
      {"an array instead of an object", "[1]", {"not a JSON object"}},
      {"half an object", "{\"emit_event\":tr", {"configuration"}},
      {"invalid UTF-8", "{\"project\":\"\xFF\"}", {"configuration"}},
  };
  for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
    const struct refusal *refusal = &refusals[i];
    memset(&error, 0, sizeof(error));
    cr_assert_eq(merge(refusal->json), -1, "%s: was accepted", refusal->name);
    cr_assert_eq(error.code, KAIZEN_E_CONFIG, "%s: code %d", refusal->name, (int)error.code);
    for (size_t j = 0; j < 3 && refusal->says[j]; j++)
      must_say(refusal->name, refusal->says[j]);
  }
}

Test(config, plain_text_refusals_are_those_of_json) {
  static const struct {
    const char *key, *value, *says;
  } refusals[] = {
      {"emit_event", "yes", "true or false"},     {"emit_event", "", "true or false"},
      {"retention_days", "", "a whole number"},   {"retention_days", "180 ", "a whole number"},
      {"retention_days", "+1", "a whole number"}, {"retention_days", "-", "a whole number"},
      {"publish", "JetStream", "\"jetstream\""},  {"project", "\xC3", "UTF-8"},
      {"nats-url", "nats://a", "\"nats_url\""},
  };
  for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
    cr_assert_eq(merge_text(refusals[i].key, refusals[i].value), -1, "%s=%s was accepted",
                 refusals[i].key, refusals[i].value);
    cr_assert_eq(error.code, KAIZEN_E_CONFIG);
    must_say(refusals[i].key, refusals[i].says);
  }
}

Test(config, numbers_are_taken_at_both_ends_of_their_range) {
  static const char *const accepted[] = {
      "{\"retention_days\":0}",      "{\"retention_days\":36500}",
      "{\"trend_window\":1}",        "{\"trend_window\":64}",
      "{\"lock_timeout_ms\":1}",     "{\"lock_timeout_ms\":600000}",
      "{\"max_record_bytes\":1024}", "{\"max_record_bytes\":1048576}"};
  for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++)
    cr_assert_eq(merge(accepted[i]), 0, "%s: %s", accepted[i], error.text);
}

Test(config, a_refused_value_leaves_its_key_as_it_was) {
  cr_assert_eq(merge("{\"project\":\"kept\"}"), 0);
  cr_assert_eq(merge("{\"project\":\"a/b\"}"), -1);
  cr_assert_str_eq(config.project, "kept");
}

Test(config, no_message_shows_a_credential) {
  static const struct {
    const char *name, *json;
  } secrets[] = {
      {"a password in a URL", "{\"nats_url\":\"http://me:hunter2@a:4222\"}"},
      {"a token in a URL", "{\"nats_url\":\"http://hunter2@a:4222\"}"},
      {"a URL in an array", "{\"nats_url\":[\"nats://me:hunter2@a:4222\"]}"},
      {"a password with a comma", "{\"nats_url\":\"nats://me:hunter2,x@a, http://b\"}"},
      {"a password with an at sign", "{\"nats_url\":\"http://me:x@hunter2@a:4222\"}"},
      {"credentials instead of their file", "{\"nats_creds\":\"hunter2\"}"},
      {"credentials in an object", "{\"nats_creds\":{\"seed\":\"hunter2\"}}"},
      {"a key instead of its file", "{\"nats_key\":\"hunter2\"}"},
  };
  for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
    cr_assert_eq(merge(secrets[i].json), -1, "%s: was accepted", secrets[i].name);
    cr_assert_not(strstr(error.text, "hunter2"), "%s: %s", secrets[i].name, error.text);
  }
}

Test(config, a_copy_is_independent_of_what_it_was_made_from) {
  struct config copy;
  cr_assert_eq(merge("{\"project\":\"first\",\"retention_days\":7}"), 0);
  cr_assert_eq(config_copy(&copy, &config, &error), 0, "%s", error.text);
  cr_assert_eq(merge("{\"project\":\"second\",\"retention_days\":8}"), 0);
  cr_assert_str_eq(copy.project, "first");
  cr_assert_eq(copy.retention_days, 7);
  config_fini(&copy);
  cr_assert_str_eq(config.project, "second");
}

/* ---- finishing ------------------------------------------------------------------------------- */

Test(config, a_project_root_is_required) {
  cr_assert_eq(finish(), -1);
  cr_assert_eq(error.code, KAIZEN_E_CONFIG);
  must_say("no root", "project_root is required");
}

Test(config, configured_values_win_over_the_environment) {
  setenv("NATS_URL", "nats://environment:1", 1);
  setenv("KAIZEN_PROJECT_SLUG", "from-environment", 1);
  cr_assert_eq(
      merge(
          "{\"project_root\":\"/srv/shop\",\"project\":\"given\",\"nats_url\":\"nats://given:2\"}"),
      0);
  cr_assert_eq(finish(), 0, "%s", error.text);
  cr_assert_str_eq(config.project, "given");
  cr_assert_str_eq(config.nats_url, "nats://given:2");
}

Test(config, the_environment_wins_over_defaults) {
  setenv("NATS_URL", "nats://environment:1", 1);
  setenv("KAIZEN_PROJECT_SLUG", "from-environment", 1);
  cr_assert_eq(merge_text("project_root", "/srv/shop"), 0);
  cr_assert_eq(finish(), 0, "%s", error.text);
  cr_assert_str_eq(config.project, "from-environment");
  cr_assert_str_eq(config.nats_url, "nats://environment:1");
}

Test(config, an_empty_variable_is_not_set) {
  setenv("NATS_URL", "", 1);
  setenv("KAIZEN_PROJECT_SLUG", "", 1);
  cr_assert_eq(merge_text("project_root", "/srv/shop"), 0);
  cr_assert_eq(finish(), 0, "%s", error.text);
  cr_assert_str_eq(config.project, "shop");
  cr_assert_str_eq(config.nats_url, "nats://localhost:4222");
}

Test(config, the_environment_is_read_only_when_finishing) {
  setenv("KAIZEN_PROJECT_SLUG", "early", 1);
  cr_assert_eq(merge_text("project_root", "/srv/shop"), 0);
  setenv("KAIZEN_PROJECT_SLUG", "late", 1);
  cr_assert_eq(finish(), 0, "%s", error.text);
  cr_assert_str_eq(config.project, "late");
}

Test(config, a_bad_slug_in_the_environment_is_refused_by_the_variables_name) {
  static const char *const slugs[] = {"a/b", "a\nb", "\xFF"};
  cr_assert_eq(merge_text("project_root", "/srv/shop"), 0);
  for (size_t i = 0; i < sizeof(slugs) / sizeof(slugs[0]); i++) {
    setenv("KAIZEN_PROJECT_SLUG", slugs[i], 1);
    cr_assert_eq(finish(), -1, "slug %zu was accepted", i);
    must_say("slug", "KAIZEN_PROJECT_SLUG");
  }
}

Test(config, a_variable_meant_for_other_programs_does_not_stop_recording) {
  setenv("NATS_URL", "ws://me:secret@a:80", 1);
  cr_assert_eq(merge_text("project_root", "/srv/shop"), 0);
  cr_assert_eq(finish(), 0, "%s", error.text);
  cr_assert_str_eq(config.nats_url, "ws://me:secret@a:80");
}

Test(config, a_root_without_a_base_name_needs_a_slug) {
  cr_assert_eq(merge_text("project_root", "/"), 0);
  cr_assert_eq(finish(), -1);
  must_say("root folder", "project");
  cr_assert_eq(merge_text("project", "given"), 0);
  cr_assert_eq(finish(), 0, "%s", error.text);
}

Test(config, the_slug_is_the_base_name_of_the_real_path) {
  char directory[] = "/tmp/kaizen-config-XXXXXX", real[64], alias[64];
  cr_assert(mkdtemp(directory));
  snprintf(real, sizeof(real), "%s/shop", directory);
  snprintf(alias, sizeof(alias), "%s/alias", directory);
  cr_assert_eq(mkdir(real, 0700), 0);
  cr_assert_eq(symlink("shop", alias), 0);

  const char *const roots[] = {alias, real};
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(merge_text("project_root", roots[i]), 0);
    cr_assert_eq(finish(), 0, "%s", error.text);
    cr_assert_str_eq(config.project, "shop", "root %s", roots[i]);
  }
  cr_assert_eq(unlink(alias), 0);
  cr_assert_eq(rmdir(real), 0);
  cr_assert_eq(rmdir(directory), 0);
}

Test(config, finishing_again_follows_a_changed_root) {
  cr_assert_eq(merge_text("project_root", "/srv/one/"), 0);
  cr_assert_eq(finish(), 0, "%s", error.text);
  cr_assert_str_eq(config.project, "one");
  cr_assert_eq(merge_text("project_root", "/srv/two"), 0);
  cr_assert_eq(finish(), 0, "%s", error.text);
  cr_assert_str_eq(config.project, "two");
}

/* ---- told to others -------------------------------------------------------------------------- */

Test(config, the_report_says_where_each_value_came_from) {
  struct buffer out = {0};
  setenv("NATS_URL", "nats://me:hunter2@a:4222", 1);
  cr_assert_eq(merge("{\"project_root\":\"/srv/shop\",\"retention_days\":7}"), 0);
  cr_assert_eq(finish(), 0, "%s", error.text);
  config_report(&config, &origins, &out);
  buffer_append_byte(&out, '\0');
  cr_assert_not(out.failed);
  static const char *const parts[] = {
      "\"project_root\":{\"value\":\"/srv/shop\",\"origin\":\"configured\"}",
      "\"project\":{\"value\":\"shop\",\"origin\":\"default\"}",
      "\"nats_url\":{\"value\":\"nats://***@a:4222\",\"origin\":\"environment\"}",
      "\"retention_days\":{\"value\":7,\"origin\":\"configured\"}",
      "\"emit_event\":{\"value\":false,\"origin\":\"default\"}",
      "\"publish\":{\"value\":\"jetstream\",\"origin\":\"default\"}"};
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
    cr_assert(strstr(out.data, parts[i]), "%s is missing in %s", parts[i], out.data);
  cr_assert_eq(json_reader_check((struct span){out.data, out.len - 1}, JSON_STRICT, 8,
                                 &(struct json_value){0}, NULL),
               0);
  buffer_fini(&out);
}

Test(config, the_schema_is_json_and_the_same_text_each_time) {
  struct json_value value;
  const char *schema = config_schema();
  cr_assert_eq(json_reader_check(text(schema), JSON_STRICT, 8, &value, NULL), 0);
  cr_assert_eq(value.type, JSON_OBJECT);
  cr_assert_eq(config_schema(), schema);
  cr_assert(strstr(
      schema,
      "\"retention_days\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":36500,\"default\":180"));
  cr_assert(strstr(
      schema,
      "\"fsync\":{\"type\":\"string\",\"enum\":[\"never\",\"always\"],\"default\":\"never\""));
  cr_assert(strstr(schema, "\"emit_event\":{\"type\":\"boolean\",\"default\":false"));
}

Test(config, redacting_keeps_what_is_needed_to_find_the_broker) {
  static const struct {
    const char *url, *shown;
  } urls[] = {
      {"nats://localhost:4222", "nats://localhost:4222"},
      {"localhost", "localhost"},
      {"nats://me:pw@a:4222", "nats://***@a:4222"},
      {"token@a", "***@a"},
      {"tls://me:p@w@a:1,nats://b:2", "tls://***@a:1,nats://b:2"},
      {"nats://[::1]:4222", "nats://[::1]:4222"},
      {"nats://u:[::1]@[::1]:4222", "nats://***@[::1]:4222"},
      {"nats://me:half,other@a", "nats://***,***@a"},
      {"", ""},
  };
  for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
    struct buffer out = {0};
    config_redact_url(urls[i].url, &out);
    buffer_append_byte(&out, '\0');
    cr_assert_str_eq(out.data, urls[i].shown, "%s became %s", urls[i].url, out.data);
    buffer_fini(&out);
  }
}
