package org.sopdb;

/** The deadline has passed. */
public final class TimeoutException extends SopException {
  private static final long serialVersionUID = 1L;

  TimeoutException(Facts facts) {
    super(Status.TIMEOUT, facts);
  }
}
