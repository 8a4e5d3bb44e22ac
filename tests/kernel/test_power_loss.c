/* Processes that commit lose the power: their ext4, on a loop device, is shut down by ioctl without writing its journal,
 * so that what the kernel had not been told to keep is gone. Then it is mounted again, as after a reboot.
 *
 * Needs the right to mount; without it the test is skipped, loudly. With SOP_TEST_POWER_FOLDER=1 it runs all the same, in
 * a plain folder and with SIGKILL for the power cut: that tests the test and not the database. */
#include "kernel/host.h"
#include "kernel/oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* As the kernel's fs/ext4/ext4.h has them; no header for programs does. */
#define SHUTDOWN_EXT4 _IOR('X', 125, uint32_t)
#define SHUTDOWN_WITHOUT_FLUSHING_LOG UINT32_C(2)

enum {
	CYCLES = 20,
	CYCLES_OF_A_DATABASE = 10,
	IMAGE_BYTES = 256 << 20, /* sparse */
	DELAY_MIN_US = 3000,
	DELAY_MAX_US = 200000,
	TRIES_MAX = 100, /* of what another process may hold for a moment */
	URL_BYTES = 600,
	SKIPPED = 77,
};

struct disk {
	char folder[256]; /* below which all lies */
	char mounted[300];
	char image[300];
	char device[64];
	int loop; /* -1: a plain folder */
};

/* ---- the disk ------------------------------------------------------------------------------------- */

/* Finds a loop device for the image; returns its descriptor, or -1. It is freed when closed and not mounted. */
static int attach(const char *image, char device[64])
{
	const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	const int file = open(image, O_RDWR | O_CLOEXEC);
	int loop = -1;

	for (int i = 0; i < TRIES_MAX && control >= 0 && file >= 0; i++) {
		const struct loop_config how = { .fd = (uint32_t)file,
						 .info.lo_flags = LO_FLAGS_AUTOCLEAR };
		const int number = ioctl(control, LOOP_CTL_GET_FREE);

		(void)snprintf(device, 64, "/dev/loop%d", number);
		loop = number < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
		if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &how) == 0)
			break;
		if (loop >= 0)
			(void)close(loop);
		loop = -1;
		if (errno != EBUSY && errno != ENXIO)
			break;
	}
	if (control >= 0)
		(void)close(control);
	if (file >= 0)
		(void)close(file);
	return loop;
}

static bool make_file_system(const char *image)
{
	const int file = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int status = -1;
	pid_t pid;

	if (file < 0 || ftruncate(file, IMAGE_BYTES) != 0)
		return false;
	(void)close(file);
	pid = fork();
	if (pid == 0) {
		execlp("mkfs.ext4", "mkfs.ext4", "-q", "-F", image, (char *)NULL);
		execl("/usr/sbin/mkfs.ext4", "mkfs.ext4", "-q", "-F", image, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool mount_disk(const struct disk *d)
{
	return mount(d->device, d->mounted, "ext4", MS_NOATIME, NULL) == 0;
}

/* A disk of our own, in a mount name space that goes with this process. Says what is not allowed, or NULL. */
static const char *disk_make(struct disk *d)
{
	folder_make(d->folder, "power");
	(void)snprintf(d->mounted, sizeof d->mounted, "%s/disk", d->folder);
	(void)snprintf(d->image, sizeof d->image, "%s/image", d->folder);
	if (mkdir(d->mounted, 0700) != 0)
		return "mkdir";
	if (d->loop == -1)
		return NULL;
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return "unshare(CLONE_NEWNS)";
	if (!make_file_system(d->image))
		return "mkfs.ext4";
	d->loop = attach(d->image, d->device);
	if (d->loop < 0)
		return "a loop device";
	return mount_disk(d) ? NULL : "mount";
}

static void disk_remove(struct disk *d)
{
	if (d->loop >= 0) {
		(void)umount2(d->mounted, MNT_DETACH);
		(void)close(d->loop);
	}
	if (test_failures() == 0)
		folder_remove(d->folder);
	else
		print_message("the image is left in %s\n", d->image);
}

/* The power goes. */
static void disk_cut(const struct disk *d)
{
	const uint32_t how = SHUTDOWN_WITHOUT_FLUSHING_LOG;
	const int folder = open(d->mounted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (d->loop == -1)
		return;
	assert_true(folder >= 0);
	if (ioctl(folder, SHUTDOWN_EXT4, &how) != 0)
		fail_msg("the shutdown ioctl: %s", strerror(errno));
	(void)close(folder);
}

/* The power is back: the file system is mounted anew and replays its journal. The loop device is a new one too: the old
 * one's cache may hold metadata that never reached the disk. */
static void disk_restart(struct disk *d)
{
	int result = -1;

	if (d->loop == -1)
		return;
	for (int i = 0; i < TRIES_MAX && result != 0; i++) {
		result = umount(d->mounted);
		if (result != 0)
			test_sleep_us(10000);
	}
	if (result != 0)
		fail_msg("umount: %s", strerror(errno));
	(void)close(d->loop);
	d->loop = attach(d->image, d->device);
	if (d->loop < 0)
		fail_msg("a loop device: %s", strerror(errno));
	if (!mount_disk(d))
		fail_msg("mount: %s", strerror(errno));
}

/* ---- cycles ---------------------------------------------------------------------------------------- */

static void cut_once(struct oracle *o, struct test_rng *rng, struct disk *d, const char *url)
{
	const int64_t delay_us = DELAY_MIN_US + (int64_t)test_rng_below(rng, DELAY_MAX_US - DELAY_MIN_US);
	const struct worker_how how = { .url = url,
					.session = oracle_session(o),
					.threads = 1 + (uint32_t)test_rng_below(rng, 4),
					.mixed = test_rng_once_in(rng, 2) };
	struct watched worker;

	worker_start(&how, &worker);
	(void)worker_watch(&worker, test_now_ns() + delay_us * 1000, oracle_hear, o);
	disk_cut(d);
	/* For a moment it goes on without a disk: what it acknowledges now was a lie. */
	(void)worker_watch(&worker, test_now_ns() + INT64_C(2000000), oracle_hear, o);
	(void)worker_kill(&worker, oracle_hear, o);
	disk_restart(d);
}

static void cut_users(struct disk *d, uint64_t cycles, uint64_t round)
{
	char path[400], url[URL_BYTES];
	struct oracle o;
	struct test_rng rng;

	(void)snprintf(path, sizeof path, "%s/db%u", d->mounted, (unsigned)round);
	(void)snprintf(url, sizeof url, "inredfs:%s?create=true%s", path,
		       round % 2 == 0 ? "&cache_bytes=4MB&log_bytes_max=4MB" : "");
	test_rng_init(&rng, test_seed(), round);
	oracle_begin(&o, d->loop == -1 ? SOP_WRITTEN : SOP_FLUSHED, true);
	for (uint64_t i = 0; i < cycles && test_failures() == 0; i++) {
		cut_once(&o, &rng, d, url);
		if (i + 1 == cycles || !test_rng_once_in(&rng, 3))
			oracle_check(&o, url, path,
				     CHECK_VERIFY | (i % 4 == 3 || i + 1 == cycles ? CHECK_COLLECT : 0u));
	}
	print_message("%llu power cuts, %llu of them after opening; %llu acknowledged commits, %llu more were there, "
		      "%llu were not, %llu weaker ones lost; %llu checks\n",
		      (unsigned long long)o.sessions, (unsigned long long)o.opened,
		      (unsigned long long)o.acknowledged, (unsigned long long)o.unacknowledged_there,
		      (unsigned long long)o.unacknowledged_gone, (unsigned long long)o.weak_lost,
		      (unsigned long long)o.checks);
	oracle_end(&o);
	if (test_failures() == 0)
		folder_remove(path);
}

static void nothing_acknowledged_is_lost(void **state)
{
	const uint64_t cycles = test_scaled(CYCLES);
	struct disk *d = *state;

	for (uint64_t done = 0, round = 0; done < cycles && test_failures() == 0; round++) {
		const uint64_t left = cycles - done;
		const uint64_t now = left < CYCLES_OF_A_DATABASE ? left : CYCLES_OF_A_DATABASE;

		cut_users(d, now, round);
		done += now;
	}
	TEST_NO_FAILURES();
}

/* The cut takes away what was not flushed, and nothing else: else this test would prove nothing. */
static void the_power_cut_is_one(void **state)
{
	static const char text[] = "flushed";
	struct disk *d = *state;
	char kept[400], lost[400];
	struct stat about;
	int file;

	if (d->loop == -1)
		skip();
	(void)snprintf(kept, sizeof kept, "%s/kept", d->mounted);
	(void)snprintf(lost, sizeof lost, "%s/lost", d->mounted);
	file = open(kept, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(file, text, sizeof text), sizeof text);
	assert_int_equal(fsync(file), 0);
	(void)close(file);
	file = open(lost, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(file, text, sizeof text), sizeof text);
	(void)close(file);
	disk_cut(d);
	disk_restart(d);
	assert_int_equal(stat(kept, &about), 0);
	assert_int_equal(about.st_size, sizeof text);
	assert_int_not_equal(stat(lost, &about), 0);
	assert_int_equal(unlink(kept), 0);
}

int main(int argc, char **argv)
{
	struct disk disk = { .loop = getenv("SOP_TEST_POWER_FOLDER") != NULL ? -1 : 0 };
	const char *missing;
	int failed;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(the_power_cut_is_one, &disk),
		cmocka_unit_test_prestate(nothing_acknowledged_is_lost, &disk),
	};

	if (argc > 1 && strcmp(argv[1], "--worker") == 0)
		return worker_main(argc, argv);
	test_begin(argc, argv);
	missing = disk_make(&disk);
	if (missing != NULL) {
		fprintf(stderr,
			"SKIPPED: kernel.power_loss: NO POWER WAS CUT, since this machine does not allow %s: %s\n",
			missing, strerror(errno));
		folder_remove(disk.folder);
		return SKIPPED;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	disk_remove(&disk);
	return failed;
}
