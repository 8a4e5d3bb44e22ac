package org.sopdb;

import java.time.Instant;

/**
 * A message about what the library does. It never has a key, a value or a secret.
 *
 * @param level how grave it is: ERROR, WARNING, INFO or DEBUG
 * @param time when it happened, which may be a moment before it is told
 * @param text one sentence
 * @param lost messages dropped before this one because they came too fast
 */
public record LogMessage(System.Logger.Level level, Instant time, String text, int lost) {
  private static final int TEXT_BYTES = 512;
  private static final System.Logger.Level[] LEVELS = {
    System.Logger.Level.OFF,
    System.Logger.Level.ERROR,
    System.Logger.Level.WARNING,
    System.Logger.Level.INFO,
    System.Logger.Level.DEBUG
  };

  static LogMessage of(byte[] image) {
    Image in = new Image(image);
    System.Logger.Level level = LEVELS[in.word()];
    int lost = in.word();
    Instant time = Instant.EPOCH.plusNanos(in.number());
    return new LogMessage(level, time, in.text(TEXT_BYTES), lost);
  }

  /** As a logger is told that has a time of its own. */
  void logTo(System.Logger logger) {
    logger.log(level, lost == 0 ? text : text + " (" + lost + " messages before it were lost)");
  }
}
