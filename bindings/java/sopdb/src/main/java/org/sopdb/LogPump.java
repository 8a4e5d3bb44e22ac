package org.sopdb;

import java.lang.System.Logger;
import java.lang.ref.WeakReference;
import java.util.Map;

/**
 * Takes the messages of a database to a logger, on a thread of its own, which keeps nobody from
 * collecting the database.
 */
final class LogPump implements Runnable {
  private static final long PAUSE_MS = 100;
  private static final int TEXT_BYTES = 512;
  private static final Logger.Level[] LEVELS = {
    Logger.Level.OFF,
    Logger.Level.ERROR,
    Logger.Level.WARNING,
    Logger.Level.INFO,
    Logger.Level.DEBUG
  };
  private static final Map<Logger.Level, Integer> NUMBERS =
      Map.of(
          Logger.Level.OFF,
          0,
          Logger.Level.ERROR,
          1,
          Logger.Level.WARNING,
          2,
          Logger.Level.INFO,
          3,
          Logger.Level.DEBUG,
          4,
          Logger.Level.TRACE,
          4,
          Logger.Level.ALL,
          4);

  private final WeakReference<Database> database;
  private final Logger logger;
  private volatile boolean stopped;

  private LogPump(Database database, Logger logger) {
    this.database = new WeakReference<>(database);
    this.logger = logger;
  }

  /** Starts one, unless the level is OFF: then null. */
  static LogPump start(Database database, Logger logger, Logger.Level level) {
    database.enableLog(NUMBERS.get(level));
    if (level == Logger.Level.OFF) {
      return null;
    }
    LogPump pump = new LogPump(database, logger);
    Thread thread = new Thread(pump, "sop-log");
    thread.setDaemon(true);
    thread.start();
    return pump;
  }

  /** Ends it: another has its place. */
  void stop() {
    stopped = true;
  }

  @Override
  public void run() {
    try {
      while (drain()) {
        Thread.sleep(PAUSE_MS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (SopException e) {
      // the database is closed
    }
  }

  /** Logs what there is; false once the database is gone. */
  private boolean drain() {
    Database open = database.get();
    if (open == null) {
      return false;
    }
    while (!stopped) {
      byte[] message = open.nextLogMessage();
      if (message == null) {
        return true;
      }
      Image in = new Image(message);
      int level = in.word();
      int lost = in.word();
      in.number(); // its time: the logger has its own
      String text = in.text(TEXT_BYTES);
      logger.log(
          LEVELS[level], lost == 0 ? text : text + " (" + lost + " messages before it were lost)");
    }
    return false;
  }
}
