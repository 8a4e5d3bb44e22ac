/* How the types of the public headers travel to and from Python. */
%warnfilter(314); /* members that are called as Python's keywords: no structure is seen */
