/* Runs a fuzz target without libFuzzer: every file of its corpus folder (the argument; it may be missing), then
 * random inputs from a fixed seed. So the targets are compiled and run in every build, by every compiler. */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	RANDOM_INPUTS = 20000,
	RANDOM_MAX_BYTES = 512,
	FILE_MAX_BYTES = 1 << 20,
};

/* Every input lives in a block of exactly its size, so that a sanitizer sees the first byte beyond. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size != 0 ? size : 1);

	if (copy == NULL)
		abort();
	for (size_t i = 0; i < size; i++)
		copy[i] = data[i];
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_file(const char *folder, const char *name, uint8_t *room)
{
	char path[4096];
	FILE *file = NULL;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		exit(1);
	}
	run(room, fread(room, 1, FILE_MAX_BYTES, file));
	fclose(file);
}

static int run_folder(const char *folder, uint8_t *room)
{
	DIR *dir = opendir(folder);
	int count = 0;

	if (dir == NULL)
		return 0;
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (entry->d_name[0] != '.') {
			run_file(folder, entry->d_name, room);
			count++;
		}
	}
	closedir(dir);
	return count;
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void run_random(uint8_t *room)
{
	uint64_t state = 1;

	for (int i = 0; i < RANDOM_INPUTS; i++) {
		const size_t size = next_random(&state) % RANDOM_MAX_BYTES;

		for (size_t at = 0; at < size; at++)
			room[at] = (uint8_t)next_random(&state);
		run(room, size);
	}
}

int main(int argc, char **argv)
{
	uint8_t *room = malloc(FILE_MAX_BYTES);

	if (room == NULL)
		return 1;
	printf("%d files of the corpus\n", argc > 1 ? run_folder(argv[1], room) : 0);
	run_random(room);
	printf("%d random inputs\n", RANDOM_INPUTS);
	free(room);
	return 0;
}
