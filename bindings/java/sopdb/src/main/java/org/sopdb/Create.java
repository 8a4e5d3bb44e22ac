package org.sopdb;

/** What to do about a database that is missing. */
public enum Create implements Database.Option {
  /** Nothing is made: {@link NotFoundException}. */
  NEVER,
  /** It is made, in a folder that is missing or empty. */
  IF_MISSING;

  @Override
  public void applyTo(Options options) {
    options.create(this == IF_MISSING);
  }
}
