package org.sopdb;

/** Stored bytes are damaged; run verify. */
public final class CorruptException extends SopException {
  private static final long serialVersionUID = 1L;

  CorruptException(Facts facts) {
    super(Status.CORRUPT, facts);
  }
}
