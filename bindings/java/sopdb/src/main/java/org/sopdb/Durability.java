package org.sopdb;

/**
 * How durable a commit is when it is answered. What is lost is always a suffix: a commit that is
 * there has all before it.
 */
public enum Durability {
  /** On stable storage: survives the loss of power. */
  FLUSHED,
  /** With the operating system: survives the process; the loss of power may take it. */
  WRITTEN,
  /** In memory; it is flushed within the option {@code flush_interval_ms}. */
  BUFFERED;

  int number() {
    return ordinal() + 1;
  }

  static Durability of(int number) {
    return number == 0 ? FLUSHED : values()[number - 1];
  }
}
