package org.sopdb;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Options of opening a database. Each has a default; the header {@code sop/options.h} has the
 * ranges, which opening checks.
 */
public final class Options implements Database.Option {
  private final Map<String, String> values = new LinkedHashMap<>();
  private Duration retryFor; // null: not set

  /** All of them have their defaults. */
  public Options() {}

  /**
   * Whether to make the database if it is missing; false unless set.
   *
   * @param create whether to
   * @return this
   */
  public Options create(boolean create) {
    return set("create", Boolean.toString(create));
  }

  /**
   * Whether nothing at all is written: for a folder that may only be read, by any number of
   * processes.
   *
   * @param readOnly whether so
   * @return this
   */
  public Options readOnly(boolean readOnly) {
    return set("read_only", Boolean.toString(readOnly));
  }

  /**
   * How durable commits are that do not say: {@link Durability#FLUSHED} unless set.
   *
   * @param durability how
   * @return this
   */
  public Options durability(Durability durability) {
    return set("durability", durability.name().toLowerCase(java.util.Locale.ROOT));
  }

  /**
   * The deadline of transactions that do not say; none unless set.
   *
   * @param deadline from their begin
   * @return this
   */
  public Options deadline(Duration deadline) {
    return set("deadline_ms", Long.toString(TxOptions.millis(deadline)));
  }

  /**
   * How long after its beginning a transaction is run again by {@link Database#update} if it
   * conflicts; unless set 30 seconds, or as long as the deadline says where there is one. What a
   * transaction says by itself ({@link TxOptions#withRetryFor}) goes before it.
   *
   * @param time from the beginning; zero: nothing is run again
   * @return this
   */
  public Options retryFor(Duration time) {
    retryFor = Objects.requireNonNull(time, "time");
    return this;
  }

  /** Null: not set. */
  Duration retryFor() {
    return retryFor;
  }

  /**
   * Memory for nodes; a quarter of the host's unless set.
   *
   * @param bytes how much
   * @return this
   */
  public Options cacheBytes(long bytes) {
    return set("cache_bytes", Long.toString(bytes));
  }

  /**
   * The log that opening may have to read after a crash.
   *
   * @param bytes how much
   * @return this
   */
  public Options logBytesMax(long bytes) {
    return set("log_bytes_max", Long.toString(bytes));
  }

  /**
   * Old versions beyond which the oldest open transaction ends with {@link SopTimeoutException};
   * half of the memory for nodes, in memory 1 GiB, unless set.
   *
   * @param bytes how much, 1 MB to 1 TB
   * @return this
   */
  public Options snapshotBytesMax(long bytes) {
    return set("snapshot_bytes_max", Long.toString(bytes));
  }

  /**
   * Changes and checked reads of one transaction, beyond which it gets {@link LimitException}; 1
   * GiB unless set.
   *
   * @param bytes how much
   * @return this
   */
  public Options transactionBytesMax(long bytes) {
    return set("transaction_bytes_max", Long.toString(bytes));
  }

  /**
   * The time within which written and buffered commits are on stable storage; 10 ms unless set.
   *
   * @param interval 1 ms to a minute
   * @return this
   */
  public Options flushInterval(Duration interval) {
    return set("flush_interval_ms", Long.toString(TxOptions.millis(interval)));
  }

  /**
   * The size of a leaf, fixed when a database is made; 4096 unless set.
   *
   * @param bytes 1024 to 32768
   * @return this
   */
  public Options nodeBytes(int bytes) {
    return set("node_bytes", Integer.toString(bytes));
  }

  /**
   * Items in a node of stores that do not say; as many as fit unless set.
   *
   * @param items 4 to 20000
   * @return this
   */
  public Options nodeItems(int items) {
    return set("node_items", Integer.toString(items));
  }

  /**
   * How large a value may be to stay in its leaf; 1024 unless set.
   *
   * @param bytes 64 to 16384
   * @return this
   */
  public Options inlineValueBytes(int bytes) {
    return set("inline_value_bytes", Integer.toString(bytes));
  }

  /**
   * Buckets in a segment of the registry, fixed when a database is made; 250 unless set.
   *
   * @param buckets 250 to 750000
   * @return this
   */
  public Options registryBuckets(int buckets) {
    return set("registry_buckets", Integer.toString(buckets));
  }

  /**
   * Sets an option by its name, as in a URL.
   *
   * @param name such as "node_bytes"
   * @param value a number, also with a unit such as "64MB", a word, true or false
   * @return this
   */
  public Options set(String name, String value) {
    values.put(Objects.requireNonNull(name, "name"), Objects.requireNonNull(value, "value"));
    return this;
  }

  @Override
  public void applyTo(Options options) {
    options.values.putAll(values);
    if (retryFor != null) {
      options.retryFor = retryFor;
    }
  }

  /** A native set of options, to be freed by the caller. */
  long build() {
    long address = Raw.sop_options_new();
    try {
      values.forEach(
          (name, value) -> Raw.sop_options_set_text(address, Text.of(name), Text.of(value)));
    } catch (RuntimeException e) {
      Raw.sop_options_free(address);
      throw e;
    }
    return address;
  }
}
