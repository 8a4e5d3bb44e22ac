package org.sopdb;

/** It is open elsewhere, or here with other options. */
public final class LockedException extends SopException {
  private static final long serialVersionUID = 1L;

  LockedException(Facts facts) {
    super(Status.LOCKED, facts);
  }
}
