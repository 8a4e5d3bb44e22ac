package org.sopdb;

/** There is no such key, store or item. */
public final class NotFoundException extends SopException {
  private static final long serialVersionUID = 1L;

  NotFoundException(Facts facts) {
    super(Status.NOT_FOUND, facts);
  }
}
