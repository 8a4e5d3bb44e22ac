package org.sopdb;

/** A server cannot be reached. */
public final class UnavailableException extends SopException {
  private static final long serialVersionUID = 1L;

  UnavailableException(Facts facts) {
    super(Status.UNAVAILABLE, facts);
  }
}
