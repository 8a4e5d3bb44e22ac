package org.sopdb;

/** A size or number is beyond its limit. */
public final class LimitException extends SopException {
  private static final long serialVersionUID = 1L;

  LimitException(Facts facts) {
    super(Status.LIMIT, facts);
  }
}
