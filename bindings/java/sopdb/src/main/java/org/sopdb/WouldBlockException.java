package org.sopdb;

/** The answer is not in memory; call in the waiting way. */
public final class WouldBlockException extends SopException {
  private static final long serialVersionUID = 1L;

  WouldBlockException(Facts facts) {
    super(Status.WOULD_BLOCK, facts);
  }
}
