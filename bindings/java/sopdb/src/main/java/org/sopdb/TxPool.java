package org.sopdb;

import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Handles of transactions that have ended, for the next ones of the same kind: renewing one
 * allocates nothing.
 */
final class TxPool {
  private static final int SLOTS = 16;

  private final AtomicReferenceArray<Shell> slots = new AtomicReferenceArray<>(SLOTS);

  /** A handle that is nobody's, or null. */
  Shell take() {
    int start = start();
    for (int i = 0; i < SLOTS; i++) {
      int slot = start + i & SLOTS - 1;
      if (slots.getPlain(slot) != null) {
        Shell shell = slots.getAndSet(slot, null);
        if (shell != null) {
          return shell;
        }
      }
    }
    return null;
  }

  /** Keeps a handle, or frees it. */
  void give(Shell shell) {
    int start = start();
    for (int i = 0; i < SLOTS; i++) {
      if (slots.compareAndSet(start + i & SLOTS - 1, null, shell)) {
        return;
      }
    }
    shell.free();
  }

  private static int start() {
    return (int) Thread.currentThread().getId() & SLOTS - 1;
  }
}
