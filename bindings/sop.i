/* The raw layer of Python and Java: static functions over handles, made from the public headers themselves. What users see
 * is written by hand above it (bindings/python, bindings/java). How statuses, handles, bytes and structures travel is the
 * matter of each language's typemaps in bindings/swig/. */
%module raw

%{
#include <sop/sop.h>
%}

%include <stdint.i>

/* Structures travel as values of the language, through typemaps; nobody sees a proxy of one. */
%nodefaultctor;
%nodefaultdtor;
%ignore sop_bytes;
%ignore sop_buf;
%ignore sop_cursor_fetch; /* rows go into memory of the language: written by hand */
%ignore sop_cursor_next_many; /* views; languages fetch */
%ignore sop_entry;
%ignore sop_error;
%ignore sop_info;
%ignore sop_item;
%ignore sop_log_message;
%ignore sop_peek;
%ignore sop_problem;
%ignore sop_range;
%ignore sop_stats;
%ignore sop_store_info;
%ignore sop_store_options;
%ignore sop_txn_options;
%ignore sop_value;

/* Languages bring their own loops over sop_txn_again, and their own buffers. */
%ignore sop_run;
%ignore sop_body;
%ignore sop_buf_reserve;
%ignore sop_buf_free;

/* Conveniences of C. */
%rename("$ignore", regextarget = 1) "^sop_value_(null|bool|int|uint|float|bytes|str|uuid|ts)$";
%rename("$ignore", fullname = 1) "sop_value::as";
%rename("$ignore", regextarget = 1, fullname = 1) "^sop_value_as.*";
%rename("$ignore", regextarget = 1) "^SOP_.*_(INIT|H)$";

#if defined(SWIGPYTHON)
%include "swig/python.i"
#elif defined(SWIGJAVA)
%include "swig/java.i"
#endif

%include <sop/error.h>
%include <sop/version.h>
%include <sop/buffer.h>
%include <sop/options.h>
%include <sop/database.h>
%include <sop/transaction.h>
%include <sop/key.h>
%include <sop/store.h>
%include <sop/cursor.h>
%include <sop/stats.h>
%include <sop/log.h>
%include <sop/maintenance.h>
%include <sop/backup.h>
