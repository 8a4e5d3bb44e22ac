package org.sopdb;

/** The handle, or its parent, is closed. */
public final class ClosedException extends SopException {
  private static final long serialVersionUID = 1L;

  ClosedException(Facts facts) {
    super(Status.CLOSED, facts);
  }
}
