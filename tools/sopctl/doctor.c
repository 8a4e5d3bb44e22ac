/* doctor: is this machine, this folder, this disk fit for a database, and what is to be changed? */
#include "access.h"
#include "commands.h"
#include "file.h"
#include "status.h"
#include "text.h"
#include "try.h"
#include "wording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FLUSH_ROUNDS 50
#define FLUSH_TOO_FAST_NS 15000 /* no disk is that fast through a system call and a flush */
#define FLUSH_SLOW_NS 20000000
#define FILES_NEEDED 256
#define SPACE_NEEDED ((unsigned long long)1 << 30)
#define PATH_BYTES_MAX 4096

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_BAD };

struct doctor {
	struct access access;
	struct output *output;
	const char *folder;
	bool has_database;
	bool locked;
	unsigned bad;
};

/* One finding. `advice`: what to change, "" if nothing. */
static void find(struct doctor *doctor, const char *what, enum verdict verdict, const char *found,
		 const char *advice)
{
	static const char *const words[] = { "ok", "warning", "bad" };
	const struct cell cells[] = { cell_text(what),
				      cell_text(words[verdict]),
				      { CELL_BYTES, bytes_of(found) },
				      cell_text(advice) };

	doctor->bad += verdict == VERDICT_BAD;
	output_row(doctor->output, cells);
}

/* The first line of the small file `path`, or "". */
static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "r");

	line[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(line, (int)size, file) != NULL)
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

static void look_at_versions(struct doctor *doctor)
{
	char text[256];
	char ours[32];
	struct utsname host;
	const bool same = (snprintf(ours, sizeof ours, "%d.%d.%d", SOP_VERSION_MAJOR,
				    SOP_VERSION_MINOR, SOP_VERSION_PATCH),
			   strcmp(ours, sop_version()) == 0);

	snprintf(text, sizeof text, "sopctl %s, library %s", ours, sop_version());
	find(doctor, "versions", same ? VERDICT_OK : VERDICT_WARNING, text,
	     same ? "" : "run sopctl with the library that it was built with (LD_LIBRARY_PATH, ldconfig)");
	if (uname(&host) == 0) {
		snprintf(text, sizeof text, "%.60s %.60s %.60s", host.sysname, host.release, host.machine);
		find(doctor, "system", VERDICT_OK, text, "");
	}
}

/* Returns false if there is no such folder, and nothing more to look at. */
static bool look_at_folder(struct doctor *doctor)
{
	struct stat about;
	char text[PATH_BYTES_MAX + 64];

	if (stat(doctor->folder, &about) != 0 || !S_ISDIR(about.st_mode)) {
		snprintf(text, sizeof text, "%.4000s: %s", doctor->folder,
			 errno != 0 ? strerror(errno) : "no folder");
		find(doctor, "folder", VERDICT_BAD, text,
		     "name a folder that exists, such as the parent of the database to be");
		return false;
	}
	snprintf(text, sizeof text, "%.4000s, mode %03o, owner %u", doctor->folder,
		 about.st_mode & 0777u, about.st_uid);
	if (access(doctor->folder, R_OK | W_OK | X_OK) != 0)
		find(doctor, "permissions", VERDICT_BAD, text,
		     "make it readable and writable for the user that runs the program");
	else if ((about.st_mode & S_IWOTH) != 0 && (about.st_mode & S_ISVTX) == 0)
		find(doctor, "permissions", VERDICT_WARNING, text,
		     "anybody may change what is in it: chmod o-w");
	else
		find(doctor, "permissions", VERDICT_OK, text, "");
	snprintf(text, sizeof text, "%.4000s/MANIFEST", doctor->folder);
	doctor->has_database = access(text, F_OK) == 0;
	snprintf(text, sizeof text, "%.4000s/LOCK", doctor->folder);
	doctor->has_database |= access(text, F_OK) == 0; /* or had one, if MANIFEST is gone */
	return true;
}

struct file_system {
	unsigned long magic;
	const char *name;
	enum verdict verdict;
	const char *advice;
};

static const struct file_system file_systems[] = {
	{ 0xEF53, "ext4", VERDICT_OK, "" },
	{ 0x58465342, "xfs", VERDICT_OK, "" },
	{ 0x9123683E, "btrfs", VERDICT_OK, "" },
	{ 0xF2F52010, "f2fs", VERDICT_OK, "" },
	{ 0x2FC12FC1, "zfs", VERDICT_OK, "" },
	{ 0x794C7630, "overlayfs", VERDICT_WARNING,
	  "the layer of a container goes with it: put the database on a volume" },
	{ 0x01021994, "tmpfs", VERDICT_WARNING,
	  "memory only: everything is lost with the power; use a disk" },
	{ 0x858458F6, "ramfs", VERDICT_WARNING,
	  "memory only: everything is lost with the power; use a disk" },
	{ 0x6969, "nfs", VERDICT_BAD, "network file systems are refused: use a local disk" },
	{ 0xFF534D42, "cifs", VERDICT_BAD, "network file systems are refused: use a local disk" },
	{ 0xFE534D42, "smb2", VERDICT_BAD, "network file systems are refused: use a local disk" },
	{ 0x01021997, "9p", VERDICT_BAD, "network file systems are refused: use a local disk" },
	{ 0x65735546, "fuse", VERDICT_WARNING,
	  "what a flush means depends on the program behind it: use a disk" },
	{ 0x4D44, "vfat", VERDICT_WARNING, "it has no journal: use ext4 or xfs" },
};

static void look_at_file_system(struct doctor *doctor)
{
	struct statfs about;
	char text[64];

	if (statfs(doctor->folder, &about) != 0)
		return;
	for (size_t i = 0; i < sizeof file_systems / sizeof file_systems[0]; i++) {
		if (file_systems[i].magic == (unsigned long)about.f_type) {
			find(doctor, "file system", file_systems[i].verdict, file_systems[i].name,
			     file_systems[i].advice);
			return;
		}
	}
	snprintf(text, sizeof text, "unknown, type %lx", (unsigned long)about.f_type);
	find(doctor, "file system", VERDICT_WARNING, text, "tested are ext4 and xfs");
}

static bool has_option(const char *options, const char *name)
{
	const char *at = strstr(options, name);

	return at != NULL && (at == options || at[-1] == ',') &&
	       (at[strlen(name)] == ',' || at[strlen(name)] == '\0');
}

/* Mount options that let a flush do nothing. */
static void look_at_mount(struct doctor *doctor)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "r");
	char line[PATH_BYTES_MAX];
	char options[PATH_BYTES_MAX] = "";
	struct stat about;

	if (mounts == NULL || stat(doctor->folder, &about) != 0) {
		if (mounts != NULL)
			fclose(mounts);
		return;
	}
	while (fgets(line, sizeof line, mounts) != NULL) {
		unsigned high, low;
		const char *behind = strstr(line, " - ");

		if (sscanf(line, "%*d %*d %u:%u", &high, &low) == 2 && makedev(high, low) == about.st_dev &&
		    behind != NULL && sscanf(behind, " - %*s %*s %4000s", options) == 1)
			break;
	}
	fclose(mounts);
	if (has_option(options, "nobarrier") || has_option(options, "barrier=0"))
		find(doctor, "mount options", VERDICT_BAD, options,
		     "a flush does not reach the disk: remount with barrier=1");
	else if (options[0] != '\0')
		find(doctor, "mount options", VERDICT_OK, options, "");
}

static void look_at_space(struct doctor *doctor)
{
	struct statvfs about;
	sop_buf text = SOP_BUF_INIT;
	unsigned long long bytes;

	if (statvfs(doctor->folder, &about) != 0)
		return;
	bytes = (unsigned long long)about.f_bavail * about.f_frsize;
	text_size(&text, bytes);
	text_puts(&text, " free");
	if (about.f_files != 0) {
		text_puts(&text, ", ");
		text_count(&text, about.f_favail);
		text_puts(&text, " inodes");
	}
	if (bytes < SPACE_NEEDED || (about.f_files != 0 && about.f_favail < FILES_NEEDED))
		find(doctor, "space", VERDICT_WARNING, text_string(&text),
		     "free some: a log of 256 MB lies beside the data");
	else
		find(doctor, "space", VERDICT_OK, text_string(&text), "");
	sop_buf_free(&text);
}

/* How the disk below the folder caches what is written; "" if it cannot be known. */
static void disk_cache(const char *folder, char *text, size_t size)
{
	struct stat about;
	char path[128];

	text[0] = '\0';
	if (stat(folder, &about) != 0)
		return;
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/queue/write_cache", major(about.st_dev),
		 minor(about.st_dev));
	read_line(path, text, size);
	if (text[0] != '\0')
		return;
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/../queue/write_cache",
		 major(about.st_dev), minor(about.st_dev));
	read_line(path, text, size);
}

static void look_at_flush(struct doctor *doctor)
{
	sop_buf text = SOP_BUF_INIT;
	long long worst = 0;
	const long long middle = flush_ns(doctor->folder, FLUSH_ROUNDS, &worst);
	char cache[64];

	disk_cache(doctor->folder, cache, sizeof cache);
	if (middle < 0) {
		find(doctor, "flush", VERDICT_BAD, strerror(errno),
		     "a file in the folder cannot be written and flushed");
		return;
	}
	text_duration(&text, middle);
	text_puts(&text, " for 4 KB, worst ");
	text_duration(&text, worst);
	if (cache[0] != '\0')
		text_printf(&text, ", cache: %s", cache);
	if (middle < FLUSH_TOO_FAST_NS)
		find(doctor, "flush", VERDICT_WARNING, text_string(&text),
		     "too fast for a disk: it may answer before it has written; only a cache with a battery may do that");
	else if (middle > FLUSH_SLOW_NS)
		find(doctor, "flush", VERDICT_WARNING, text_string(&text),
		     "slow: commit from several threads, which share a flush, or use durability=written");
	else
		find(doctor, "flush", VERDICT_OK, text_string(&text), "");
	sop_buf_free(&text);
}

static void look_at_locks(struct doctor *doctor)
{
	char path[PATH_BYTES_MAX + 64];
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int file;

	snprintf(path, sizeof path, "%.4000s/sopctl-lock.%ld", doctor->folder, (long)getpid());
	file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		return; /* which the flush has told */
	if (fcntl(file, F_OFD_SETLK, &lock) == 0)
		find(doctor, "locks", VERDICT_OK, "work", "");
	else
		find(doctor, "locks", VERDICT_BAD, strerror(errno),
		     "two processes could open one database: use a local disk");
	close(file);
	unlink(path);
}

static void look_at_limits(struct doctor *doctor)
{
	struct rlimit files, size;
	char text[128];

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		snprintf(text, sizeof text, "%llu open files", (unsigned long long)files.rlim_cur);
		find(doctor, "open files",
		     files.rlim_cur < FILES_NEEDED ? VERDICT_WARNING : VERDICT_OK, text,
		     files.rlim_cur < FILES_NEEDED ? "raise it: ulimit -n 1024, LimitNOFILE= of the service"
						   : "");
	}
	if (getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur != RLIM_INFINITY) {
		snprintf(text, sizeof text, "files of at most %llu bytes",
			 (unsigned long long)size.rlim_cur);
		find(doctor, "file size", VERDICT_BAD, text,
		     "commits fail beyond it: ulimit -f unlimited");
	}
}

/* The cache is a quarter of the host's memory unless told otherwise; a container may have less. */
static void look_at_memory(struct doctor *doctor)
{
	const unsigned long long host = (unsigned long long)sysconf(_SC_PHYS_PAGES) *
					(unsigned long long)sysconf(_SC_PAGESIZE);
	unsigned long long most;
	sop_buf text = SOP_BUF_INIT;
	char line[64];

	read_line("/sys/fs/cgroup/memory.max", line, sizeof line);
	most = line[0] >= '0' && line[0] <= '9' ? strtoull(line, NULL, 10) : host;
	text_size(&text, host);
	if (most < host) {
		text_puts(&text, ", of which this group may use ");
		text_size(&text, most);
	}
	find(doctor, "memory", most / 2 < host / 4 ? VERDICT_WARNING : VERDICT_OK, text_string(&text),
	     most / 2 < host / 4 ? "set cache_bytes when opening, to a quarter of what may be used" : "");
	sop_buf_free(&text);
}

/* The database itself, if there is one: whether it opens, and in which state it is. */
static sop_status look_at_database(struct doctor *doctor)
{
	struct access *access = &doctor->access;
	sop_stats stats = SOP_STATS_INIT;
	char room[WORDING_BYTES];
	sop_status status;

	if (!doctor->has_database)
		return SOP_OK;
	status = opening_open_url(doctor->folder, OPENING_LOOK, &access->db, &access->err);
	if (status == SOP_LOCKED) {
		find(doctor, "database", VERDICT_OK, wording_of(&access->err, room), "");
		return SOP_OK;
	}
	if (status == SOP_NOT_FOUND)
		return SOP_OK;
	if (status != SOP_OK) {
		find(doctor, "database", VERDICT_BAD, wording_of(&access->err, room),
		     sop_status_text(status));
		return SOP_OK;
	}
	TRY(sop_db_stats(access->db, &stats, &access->err));
	if (stats.low_space != 0)
		find(doctor, "database", VERDICT_WARNING, "opens, and is short of space",
		     "free some; sopctl compact");
	else
		find(doctor, "database", VERDICT_OK, "opens; what is in its files was not read",
		     "sopctl verify reads all of it");
	return SOP_OK;
}

static sop_status examine(struct doctor *doctor)
{
	static const char *const columns[] = { "check", "verdict", "found", "advice" };
	struct access *access = &doctor->access;
	sop_status status = SOP_OK;

	doctor->output = output_open(access->invocation->out, &access->style, columns, 4, 2);
	look_at_versions(doctor);
	errno = 0;
	if (look_at_folder(doctor)) {
		look_at_file_system(doctor);
		look_at_mount(doctor);
		look_at_space(doctor);
		look_at_locks(doctor);
		look_at_flush(doctor);
		look_at_limits(doctor);
		look_at_memory(doctor);
		status = look_at_database(doctor);
	}
	TRY(access_printed(access, output_close(doctor->output)));
	return status == SOP_OK ? access_check_signal(access) : status;
}

static int run_doctor(struct invocation *invocation)
{
	struct doctor doctor;
	int code;

	memset(&doctor, 0, sizeof doctor);
	access_begin(&doctor.access, invocation);
	doctor.folder = invocation->argument_count > 0 ? invocation->arguments[0] : ".";
	code = access_end(&doctor.access, examine(&doctor));
	return code == EXIT_OK && doctor.bad > 0 ? EXIT_BROKEN : code;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "is this machine fit for a database, and what is to be changed",
	.help = "Looks at versions, permissions, file system, mount options, space, locks, how long a flush takes and whether that can "
		"be true, limits, memory, and the database in FOLDER if there is one; says what to change. FOLDER is where a database "
		"is or is to be (default: here). Writes a small file there and removes it.",
	.arguments = "[FOLDER]",
	.arguments_max = 1,
	.exits = "0: nothing is bad (there may be warnings); 5: something is.",
	.run = run_doctor,
	.takes = TAKES_OUTPUT,
};
