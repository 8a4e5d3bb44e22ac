package org.sopdb;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * What all failures have in common: a status, what a program can do about it, and what it is about.
 * There is a subclass for each {@link Status}.
 *
 * <p>Retry loops look at {@link #isRetriable}, {@link #isAbort} and {@link #mayHaveCommitted}, not
 * at the class.
 */
public abstract class SopException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final int RETRY = 1;
  private static final int ABORT = 2;
  private static final int MAYBE_COMMITTED = 4;
  private static final int FATAL = 8;
  private static final int MISUSE = 16;

  /** What is known about a failure besides its status. */
  record Facts(int traits, int osErrno, long offset, String store, String file, String message) {}

  /** What it stands for. */
  private final Status status;

  private final transient Facts facts;

  SopException(Status status, Facts facts) {
    super(message(facts));
    this.status = status;
    this.facts = facts;
  }

  /** What happened names the store, in quotes: a short name without is a part of many a word. */
  private static String message(Facts facts) {
    String store = "\"" + facts.store() + "\"";
    return facts.store().isEmpty() || facts.message().contains(store)
        ? facts.message()
        : "store " + store + ": " + facts.message();
  }

  /** Called by the native library, with texts in UTF-8. */
  static SopException of(
      int status, int traits, int osErrno, long offset, byte[] store, byte[] file, byte[] message) {
    return Status.of(status)
        .exception(
            new Facts(
                traits,
                osErrno,
                offset,
                new String(store, UTF_8),
                new String(file, UTF_8),
                new String(message, UTF_8)));
  }

  /**
   * Which failure it is.
   *
   * @return the status
   */
  public Status status() {
    return status;
  }

  /**
   * The same call may succeed later.
   *
   * @return whether that is so
   */
  public boolean isRetriable() {
    return has(RETRY);
  }

  /**
   * The transaction is to be rolled back and run again, as {@link Database#update} does by itself.
   *
   * @return whether that is so
   */
  public boolean isAbort() {
    return has(ABORT);
  }

  /**
   * Whether it has committed is not known: close the database, open it again, and ask {@link
   * Database#outcome} before anything is done again.
   *
   * @return whether that is so
   */
  public boolean mayHaveCommitted() {
    return has(MAYBE_COMMITTED);
  }

  /**
   * The database is to be closed; opening it again recovers.
   *
   * @return whether that is so
   */
  public boolean isFatal() {
    return has(FATAL);
  }

  /**
   * The program is wrong: repeating the call cannot help.
   *
   * @return whether that is so
   */
  public boolean isMisuse() {
    return has(MISUSE);
  }

  /**
   * The number that the operating system gave.
   *
   * @return its errno, or 0
   */
  public int osErrno() {
    return facts == null ? 0 : facts.osErrno();
  }

  /**
   * The place in {@link #file}, or in the input, in bytes.
   *
   * @return the place, or -1
   */
  public long offset() {
    return facts == null ? -1 : facts.offset();
  }

  /**
   * The store that it is about.
   *
   * @return its name, or ""
   */
  public String store() {
    return facts == null ? "" : facts.store();
  }

  /**
   * The file that it is about.
   *
   * @return its path relative to the database, or ""
   */
  public String file() {
    return facts == null ? "" : facts.file();
  }

  private boolean has(int trait) {
    return facts != null && (facts.traits() & trait) != 0;
  }
}
