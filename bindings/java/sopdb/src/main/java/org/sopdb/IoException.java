package org.sopdb;

/** The operating system reported an I/O error. */
public final class IoException extends SopException {
  private static final long serialVersionUID = 1L;

  IoException(Facts facts) {
    super(Status.IO, facts);
  }
}
