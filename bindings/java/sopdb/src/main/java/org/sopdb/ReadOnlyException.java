package org.sopdb;

/** Writing is not allowed here. */
public final class ReadOnlyException extends SopException {
  private static final long serialVersionUID = 1L;

  ReadOnlyException(Facts facts) {
    super(Status.READ_ONLY, facts);
  }
}
