/* The whole public interface of SOP, a transactional ordered store. */
#ifndef SOP_SOP_H
#define SOP_SOP_H

#include <sop/backup.h>
#include <sop/buffer.h>
#include <sop/cursor.h>
#include <sop/database.h>
#include <sop/error.h>
#include <sop/key.h>
#include <sop/log.h>
#include <sop/maintenance.h>
#include <sop/options.h>
#include <sop/stats.h>
#include <sop/store.h>
#include <sop/transaction.h>
#include <sop/version.h>

#endif
