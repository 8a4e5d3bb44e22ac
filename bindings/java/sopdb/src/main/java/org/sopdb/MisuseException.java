package org.sopdb;

/** The call breaks a rule of the interface. */
public final class MisuseException extends SopException {
  private static final long serialVersionUID = 1L;

  MisuseException(Facts facts) {
    super(Status.MISUSE, facts);
  }
}
