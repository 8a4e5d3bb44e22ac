package org.sopdb;

/** This build, file system or version cannot do that. */
public final class UnsupportedException extends SopException {
  private static final long serialVersionUID = 1L;

  UnsupportedException(Facts facts) {
    super(Status.UNSUPPORTED, facts);
  }
}
