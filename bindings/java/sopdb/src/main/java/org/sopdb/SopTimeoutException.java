package org.sopdb;

/** The deadline has passed. {@code TimeoutException} is taken, by {@code java.util.concurrent}. */
public final class SopTimeoutException extends SopException {
  private static final long serialVersionUID = 1L;

  SopTimeoutException(Facts facts) {
    super(Status.TIMEOUT, facts);
  }
}
