package org.sopdb;

/** The handle was opened before fork; open it anew. */
public final class ForkedException extends SopException {
  private static final long serialVersionUID = 1L;

  ForkedException(Facts facts) {
    super(Status.FORKED, facts);
  }
}
