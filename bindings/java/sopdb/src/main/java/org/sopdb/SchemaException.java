package org.sopdb;

/** A key, value or schema has not the declared form. */
public final class SchemaException extends SopException {
  private static final long serialVersionUID = 1L;

  SchemaException(Facts facts) {
    super(Status.SCHEMA, facts);
  }
}
