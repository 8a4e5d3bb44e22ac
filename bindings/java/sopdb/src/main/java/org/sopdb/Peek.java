package org.sopdb;

import java.time.Duration;
import java.time.Instant;
import java.util.UUID;

/**
 * What can be seen of a database from outside, whoever has it open. What follows the host is null
 * or 0 where its process has left no figures.
 *
 * @param isOpen whether some process has it open
 * @param process its number on its host; 0: not known
 * @param host where it runs; "": not known
 * @param stats the figures
 * @param age of the figures, by the clock of whoever asks
 * @param written when they were written
 * @param opened when the database was opened
 * @param running from then to the writing
 * @param interval before the writing, of which the commits are
 * @param commitsTimed in it: all that wait for a flush, one in 16 of the others
 * @param commitP50 half of them took no longer
 * @param commitP99 the same of 99 of 100
 * @param commitLongest the longest
 * @param logBytesMax option of the database; 0: chosen by the size of the data
 * @param flushInterval option of the database
 * @param uuid of the database
 */
public record Peek(
    boolean isOpen,
    long process,
    String host,
    Stats stats,
    Duration age,
    Instant written,
    Instant opened,
    Duration running,
    Duration interval,
    long commitsTimed,
    Duration commitP50,
    Duration commitP99,
    Duration commitLongest,
    long logBytesMax,
    Duration flushInterval,
    UUID uuid) {

  private static final int HOST_BYTES = 64;

  static Peek of(byte[] image, byte[] stats) {
    Image in = new Image(image);
    boolean isOpen = in.number() != 0;
    long process = in.number();
    String host = in.text(HOST_BYTES);
    if (in.number() == 0) {
      return new Peek(
          isOpen, process, host, null, null, null, null, null, null, 0, null, null, null, 0, null,
          null);
    }
    return new Peek(
        isOpen,
        process,
        host,
        Stats.of(stats),
        Duration.ofMillis(in.number()),
        Instant.ofEpochMilli(in.number()),
        Instant.ofEpochMilli(in.number()),
        Duration.ofMillis(in.number()),
        Duration.ofMillis(in.number()),
        in.number(),
        Duration.ofNanos(in.number()),
        Duration.ofNanos(in.number()),
        Duration.ofNanos(in.number()),
        in.number(),
        Duration.ofMillis(in.number()),
        in.uuid());
  }
}
