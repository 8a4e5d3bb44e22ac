/* The platform of the host: three ports without state. */
#include "platform/platform.h"

#include "platform/posix.h"

static const struct sopi_files_driver files_driver = {
	.open_folder = sopi_posix_open_folder,
	.close_folder = sopi_posix_close_folder,
	.open_file = sopi_posix_open_file,
	.make_folder = sopi_posix_make_folder,
	.list = sopi_posix_list,
	.look = sopi_posix_look,
	.rename = sopi_posix_rename,
	.link = sopi_posix_link,
	.remove = sopi_posix_remove,
	.remove_large = sopi_posix_remove_large,
	.remove_folder = sopi_posix_remove_folder,
	.sync_folder = sopi_posix_sync_folder,
	.file_system = sopi_posix_file_system,
	.identify = sopi_posix_identify,
	.lies_in = sopi_posix_lies_in,
	.lock_folder = sopi_posix_lock_folder,
	.read = sopi_posix_read,
	.write = sopi_posix_write,
	.allocate = sopi_posix_allocate,
	.resize = sopi_posix_resize,
	.write_back = sopi_posix_write_back,
	.sync_data = sopi_posix_sync_data,
	.sync = sopi_posix_sync,
	.size = sopi_posix_size,
	.lock = sopi_posix_lock,
	.is_locked = sopi_posix_is_locked,
	.unlock = sopi_posix_unlock,
	.close = sopi_posix_close,
};

static struct sopi_clock clock_of_host = { &sopi_posix_clock_driver };
static struct sopi_random random_of_host = { &sopi_posix_random_driver };
static struct sopi_files files_of_host = { &files_driver };

static const struct sopi_platform host = {
	.clock = &clock_of_host,
	.random = &random_of_host,
	.files = &files_of_host,
};

const struct sopi_platform *sopi_platform_posix(void)
{
	return &host;
}
