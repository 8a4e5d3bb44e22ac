package org.sopdb;

/** The transaction was cancelled. */
public final class CancelledException extends SopException {
  private static final long serialVersionUID = 1L;

  CancelledException(Facts facts) {
    super(Status.CANCELLED, facts);
  }
}
