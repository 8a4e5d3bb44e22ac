package org.sopdb;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Objects;
import java.util.UUID;

/**
 * Options of a transaction.
 *
 * @param mode what it may do
 * @param deadline after which it ends with {@link SopTimeoutException}; null: as the database says
 * @param durability of its commit; null: as the database says
 * @param id its own id, under which it cannot commit twice, and for which {@link Database#outcome}
 *     tells what became of it; null: one is made. A transaction that is run again keeps the id that
 *     it was given
 * @param retryFor how long after its beginning it is run again if it conflicts; null: as the
 *     database says ({@link Options#retryFor})
 */
public record TxOptions(
    Mode mode, Duration deadline, Durability durability, UUID id, Duration retryFor) {
  private static final Duration LONGEST = Duration.ofDays(3_650); // which the library takes

  /** A writing transaction with the defaults. */
  public static final TxOptions WRITE = new TxOptions(Mode.WRITE, null, null, null, null);

  /** A reading transaction. */
  public static final TxOptions READ = new TxOptions(Mode.READ, null, null, null, null);

  /**
   * Refuses a missing mode.
   *
   * @param mode what it may do
   * @param deadline of it, or null
   * @param durability of its commit, or null
   * @param id its own, or null
   * @param retryFor of it, or null
   */
  public TxOptions {
    Objects.requireNonNull(mode, "mode");
  }

  /**
   * The same with another deadline.
   *
   * @param newDeadline from its begin
   * @return the options
   */
  public TxOptions withDeadline(Duration newDeadline) {
    return new TxOptions(mode, newDeadline, durability, id, retryFor);
  }

  /**
   * The same with another durability.
   *
   * @param newDurability of its commit
   * @return the options
   */
  public TxOptions withDurability(Durability newDurability) {
    return new TxOptions(mode, deadline, newDurability, id, retryFor);
  }

  /**
   * The same with another id.
   *
   * @param newId of the transaction
   * @return the options
   */
  public TxOptions withId(UUID newId) {
    return new TxOptions(mode, deadline, durability, newId, retryFor);
  }

  /**
   * The same with another mode.
   *
   * @param newMode what it may do
   * @return the options
   */
  public TxOptions withMode(Mode newMode) {
    return new TxOptions(newMode, deadline, durability, id, retryFor);
  }

  /**
   * The same, run again for another time.
   *
   * @param newRetryFor from its beginning; zero: it is not run again
   * @return the options
   */
  public TxOptions withRetryFor(Duration newRetryFor) {
    return new TxOptions(mode, deadline, durability, id, newRetryFor);
  }

  /** A duration above zero is never rounded to none, and one beyond all numbers is very long. */
  static long millis(Duration duration) {
    if (duration.compareTo(LONGEST) > 0) {
      return LONGEST.toMillis();
    }
    if (duration.isNegative()) {
      return -1;
    }
    return duration.isZero() ? 0 : Math.max(1, duration.toMillis());
  }

  /** As the native library takes them. */
  long[] numbers() {
    long high = 0;
    long low = 0;
    if (id != null) {
      ByteBuffer bytes = ByteBuffer.wrap(Uuids.bytes(id)).order(ByteOrder.nativeOrder());
      high = bytes.getLong();
      low = bytes.getLong();
    }
    long deadlineMs = deadline == null ? 0 : Math.max(1, millis(deadline));
    return new long[] {
      mode.ordinal(), deadlineMs, durability == null ? 0 : durability.number(), high, low
    };
  }
}
