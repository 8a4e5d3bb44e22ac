package org.sopdb;

import java.time.Duration;
import java.time.Instant;
import java.util.UUID;

/**
 * What can be seen of a database from outside, whoever has it open.
 *
 * @param isOpen whether some process has it open
 * @param process its number on its host; 0: not known
 * @param host where it runs; "": not known
 * @param stats the figures that it has left, at most about a second old; null: none
 * @param written when they were written; null: there are none
 * @param opened when the database was opened; null: there are none
 * @param uuid of the database; null: not known
 */
public record Peek(boolean isOpen, long process, String host, Stats stats, Instant written, Instant opened, UUID uuid) {

  static Peek of(byte[] image, byte[] stats) {
    Image in = new Image(image);
    boolean isOpen = in.number() != 0;
    long process = in.number();
    String host = in.text(64);
    boolean hasFigures = in.number() != 0;
    in.number(); // the age of the figures, which `written` says too
    long writtenMs = in.number();
    long openedMs = in.number();
    for (int i = 0; i < 8; i++) {
      in.number(); // times of commits, and two options
    }
    UUID uuid = in.uuid();
    return new Peek(
        isOpen,
        process,
        host,
        stats != null && hasFigures ? Stats.of(stats) : null,
        hasFigures ? Instant.EPOCH.plus(Duration.ofMillis(writtenMs)) : null,
        hasFigures ? Instant.EPOCH.plus(Duration.ofMillis(openedMs)) : null,
        uuid.getMostSignificantBits() == 0 ? null : uuid);
  }
}
