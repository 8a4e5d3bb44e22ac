package org.sopdb;

import java.util.function.Function;

/**
 * The outcome of a call: every failure is one of these, and an exception of its own. Numbers never
 * change.
 */
public enum Status {
  /** Success. */
  OK(0, null),
  /** There is no such key, store or item. */
  NOT_FOUND(-1, NotFoundException::new),
  /** The key, store or transaction id is already there. */
  EXISTS(-2, ExistsException::new),
  /** Another transaction changed what this one read; roll back and run it again. */
  CONFLICT(-3, ConflictException::new),
  /** It is open elsewhere, or here with other options. */
  LOCKED(-4, LockedException::new),
  /** The deadline has passed. */
  TIMEOUT(-5, SopTimeoutException::new),
  /** The transaction was cancelled. */
  CANCELLED(-6, CancelledException::new),
  /** The commit may or may not have happened; ask for its outcome. */
  UNKNOWN(-7, CommitUnknownException::new),
  /** The handle, or its parent, is closed. */
  CLOSED(-8, ClosedException::new),
  /** The handle was opened before fork; open it anew. */
  FORKED(-9, ForkedException::new),
  /** Writing is not allowed here. */
  READ_ONLY(-10, ReadOnlyException::new),
  /** A key, value or schema has not the declared form. */
  SCHEMA(-11, SchemaException::new),
  /** A size or number is beyond its limit. */
  LIMIT(-12, LimitException::new),
  /** The storage is full; free some and try again. */
  NO_SPACE(-13, NoSpaceException::new),
  /** Out of memory. */
  NO_MEMORY(-14, NoMemoryException::new),
  /** The operating system reported an I/O error. */
  IO(-15, IoException::new),
  /** Stored bytes are damaged; run verify. */
  CORRUPT(-16, CorruptException::new),
  /** A server cannot be reached. */
  UNAVAILABLE(-17, UnavailableException::new),
  /** This build, file system or version cannot do that. */
  UNSUPPORTED(-18, UnsupportedException::new),
  /** The call breaks a rule of the interface. */
  MISUSE(-19, MisuseException::new),
  /** The database stopped after an error; reopen it. */
  FAILED(-20, FailedException::new),
  /** The answer is not in memory; call in the waiting way. */
  WOULD_BLOCK(-21, WouldBlockException::new);

  private static final Status[] ALL = values();

  private final int number;
  private final Function<SopException.Facts, SopException> exception;

  Status(int number, Function<SopException.Facts, SopException> exception) {
    this.number = number;
    this.exception = exception;
  }

  /**
   * The number that stands for it in all languages.
   *
   * @return 0 for success, negative for everything else
   */
  public int number() {
    return number;
  }

  /** The status of a number; of one that this version does not know, {@link #FAILED}. */
  static Status of(int number) {
    return number <= 0 && -number < ALL.length ? ALL[-number] : FAILED;
  }

  SopException exception(SopException.Facts facts) {
    return exception.apply(facts);
  }

  /** An exception that Java finds a reason for by itself. */
  SopException exception(String message) {
    NativeLibrary.load();
    return exception(new SopException.Facts(Raw.sop_status_traits(number), 0, -1, "", "", message));
  }
}
