package org.sopdb;

/** The database stopped after an error; reopen it. */
public final class FailedException extends SopException {
  private static final long serialVersionUID = 1L;

  FailedException(Facts facts) {
    super(Status.FAILED, facts);
  }
}
