package org.sopdb;

import java.lang.System.Logger;
import java.lang.ref.WeakReference;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Takes the messages of a database to a consumer, on a thread of its own, which keeps nobody from
 * collecting the database.
 */
final class LogPump implements Runnable {
  private static final long PAUSE_MS = 100;
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
  private final Consumer<LogMessage> told;
  private volatile boolean stopped;

  private LogPump(Database database, Consumer<LogMessage> told) {
    this.database = new WeakReference<>(database);
    this.told = told;
  }

  /** Starts one, unless the level is OFF: then null. */
  static LogPump start(Database database, Consumer<LogMessage> told, Logger.Level level) {
    database.enableLog(NUMBERS.get(level));
    if (level == Logger.Level.OFF) {
      return null;
    }
    LogPump pump = new LogPump(database, told);
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

  /** Tells what there is; false once the database is gone. */
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
      tell(LogMessage.of(message));
    }
    return false;
  }

  /** The messages after one over which the program fails are told all the same. */
  private void tell(LogMessage message) {
    try {
      told.accept(message);
    } catch (RuntimeException e) {
      Thread thread = Thread.currentThread();
      thread.getUncaughtExceptionHandler().uncaughtException(thread, e);
    }
  }
}
