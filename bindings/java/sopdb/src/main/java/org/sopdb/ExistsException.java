package org.sopdb;

/** The key, store or transaction id is already there. */
public final class ExistsException extends SopException {
  private static final long serialVersionUID = 1L;

  ExistsException(Facts facts) {
    super(Status.EXISTS, facts);
  }
}
