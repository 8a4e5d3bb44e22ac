package org.sopdb;

/**
 * What became of a transaction.
 *
 * @param state what is known
 * @param position its position if it has committed, else 0
 */
public record Outcome(State state, long position) {
  /** What is known. */
  public enum State {
    /** It was rolled back, failed, changed nothing, or was never seen. */
    NOT_COMMITTED,
    /** It has committed. */
    COMMITTED,
    /** It is still open. */
    PENDING,
    /** It is too old: more than a million transactions have written since. */
    UNKNOWN
  }
}
