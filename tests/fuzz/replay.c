// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

/*
 * The main of a fuzz target where there is no fuzzing engine: runs it once over each file that
 * is named, and over those in the folders that are named. Words with a hyphen are for engines:
 * left alone.
 */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX  (1u << 16) /* longer files are cut */
#define INPUTS_MAX 100000
#define PATH_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

static int replay_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	size_t n;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -errno;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* of the exact size, so that a sanitizer sees the first byte read beyond it */
	exact = malloc(n ? n : 1);
	if (!exact)
		return -ENOMEM;
	memcpy(exact, data, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	inputs++;
	return 0;
}

static int replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int err = 0;

	if (!folder) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -errno;
	}
	while (!err && inputs < INPUTS_MAX && (entry = readdir(folder))) {
		char file[PATH_BYTES];
		int n = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		struct stat st;

		if (*entry->d_name == '.' || n < 0 || (size_t)n >= sizeof(file))
			continue;
		if (!stat(file, &st) && S_ISREG(st.st_mode))
			err = replay_file(file);
	}
	closedir(folder);
	return err;
}

int main(int argc, char **argv)
{
	int err = 0;

	for (int i = 1; i < argc && !err; i++) {
		struct stat st;

		if (*argv[i] == '-')
			continue;
		err = !stat(argv[i], &st) && S_ISDIR(st.st_mode) ? replay_folder(argv[i])
								 : replay_file(argv[i]);
	}
	printf("%s: %u inputs\n", *argv, inputs);
	return err || !inputs ? EXIT_FAILURE : EXIT_SUCCESS;
}
