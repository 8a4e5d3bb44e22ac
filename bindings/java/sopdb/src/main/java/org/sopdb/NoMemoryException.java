package org.sopdb;

/** Out of memory. */
public final class NoMemoryException extends SopException {
  private static final long serialVersionUID = 1L;

  NoMemoryException(Facts facts) {
    super(Status.NO_MEMORY, facts);
  }
}
