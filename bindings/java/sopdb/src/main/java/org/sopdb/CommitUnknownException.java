package org.sopdb;

/** The commit may or may not have happened; ask for its outcome. */
public final class CommitUnknownException extends SopException {
  private static final long serialVersionUID = 1L;

  CommitUnknownException(Facts facts) {
    super(Status.UNKNOWN, facts);
  }
}
