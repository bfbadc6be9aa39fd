/* stdin_driver.c - a main() for fuzz targets: replays files, folders or standard input.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * With it a corpus runs under any compiler and under valgrind; libFuzzer brings its own main(). */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static int replay_stream(FILE *file) {
  size_t len = 0, cap = 1 << 16;
  uint8_t *data = malloc(cap);
  while (data && !feof(file) && !ferror(file)) {
    if (len == cap) {
      uint8_t *larger = realloc(data, cap *= 2);
      if (!larger)
        break;
      data = larger;
    }
    len += fread(data + len, 1, cap - len, file);
  }
  int result = data && feof(file) ? 0 : -1;
  if (result == 0) {
    uint8_t *exact =
        malloc(len ? len : 1); /* so that a sanitizer sees the first byte read too far */
    if (exact) {
      memcpy(exact, data, len);
      LLVMFuzzerTestOneInput(exact, len);
      free(exact);
      replayed++;
    }
  }
  free(data);
  return result;
}

static int replay_file(const char *path) {
  FILE *file = fopen(path, "rb");
  int result = file ? replay_stream(file) : -1;
  if (file)
    fclose(file);
  if (result != 0)
    fprintf(stderr, "%s cannot be read\n", path);
  return result;
}

static int replay_path(const char *path) {
  DIR *folder = opendir(path);
  struct dirent *entry;
  int result = 0;
  if (!folder)
    return replay_file(path);
  while ((entry = readdir(folder))) {
    char name[4096];
    if (entry->d_name[0] == '.')
      continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    result |= replay_file(name);
  }
  closedir(folder);
  return result;
}

int main(int argc, char **argv) {
  int result = 0;
  if (argc == 1)
    result = replay_stream(stdin);
  for (int i = 1; i < argc; i++)
    result |= replay_path(argv[i]);
  printf("%lu inputs replayed\n", replayed);
  return result == 0 && replayed > 0 ? 0 : 1;
}
