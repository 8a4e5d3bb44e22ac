package org.sopdb;

/** The storage is full; free some and try again. */
public final class NoSpaceException extends SopException {
  private static final long serialVersionUID = 1L;

  NoSpaceException(Facts facts) {
    super(Status.NO_SPACE, facts);
  }
}
