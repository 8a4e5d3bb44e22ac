package org.sopdb;

/**
 * Told how far a long call is, on the thread of that call. It may use the database, but not close
 * it.
 */
@FunctionalInterface
public interface Progress {
  /**
   * The call is this far.
   *
   * @param doneBytes bytes that are done
   * @param totalBytes about how many there are, which may still grow; 0 while nothing is known
   * @return true to go on, false to stop: the call then throws {@link CancelledException}
   */
  boolean at(long doneBytes, long totalBytes);
}
