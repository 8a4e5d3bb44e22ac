package org.sopdb;

/**
 * Another transaction changed what this one read; roll back and run it again, as {@link
 * Database#update} does.
 */
public final class ConflictException extends SopException {
  private static final long serialVersionUID = 1L;

  private final transient Conflict conflict;

  ConflictException(Facts facts) {
    this(facts, null);
  }

  private ConflictException(Facts facts, Conflict conflict) {
    super(Status.CONFLICT, facts);
    this.conflict = conflict;
  }

  /** The same, knowing what it was about. */
  ConflictException over(Conflict found) {
    ConflictException exception =
        new ConflictException(
            new Facts(
                Raw.sop_status_traits(status().number()),
                osErrno(),
                offset(),
                store(),
                file(),
                getMessage()),
            found);
    exception.setStackTrace(getStackTrace());
    return exception;
  }

  /**
   * What it was about.
   *
   * @return the store and the key, or null if that is not known
   */
  public Conflict conflict() {
    return conflict;
  }
}
