package org.sopdb;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.function.Predicate;

/** What the native library calls, on the thread that called it. */
abstract class Callbacks {
  /** Whether to go on. */
  boolean progress(long doneBytes, long totalBytes) {
    return true;
  }

  /** Whether to go on. Texts are UTF-8. */
  boolean found(byte[] store, byte[] file, long offset, byte[] kind, byte[] message) {
    return true;
  }

  /** Null for null. */
  static Callbacks of(Progress progress) {
    if (progress == null) {
      return null;
    }
    return new Callbacks() {
      @Override
      boolean progress(long doneBytes, long totalBytes) {
        return progress.at(doneBytes, totalBytes);
      }
    };
  }

  /** Progress may be null. */
  static Callbacks of(Predicate<Problem> found, Progress progress) {
    return new Callbacks() {
      @Override
      boolean progress(long doneBytes, long totalBytes) {
        return progress == null || progress.at(doneBytes, totalBytes);
      }

      @Override
      boolean found(byte[] store, byte[] file, long offset, byte[] kind, byte[] message) {
        return found.test(
            new Problem(
                new String(store, UTF_8),
                new String(file, UTF_8),
                offset,
                new String(kind, UTF_8),
                new String(message, UTF_8)));
      }
    };
  }
}
