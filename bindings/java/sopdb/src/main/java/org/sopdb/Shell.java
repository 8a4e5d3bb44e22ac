package org.sopdb;

import java.lang.System.Logger;
import java.lang.ref.Cleaner;
import java.util.function.LongConsumer;

/**
 * Owns the address of a native handle, which is freed once nothing refers to the shell: until then
 * a call on a closed handle is an error and no crash.
 */
final class Shell {
  private static final Cleaner CLEANER = Cleaner.create();
  private static final Logger LOGGER = System.getLogger("org.sopdb");

  final long address;
  private final State state;
  private final Cleaner.Cleanable cleanable;
  private Room room; // of a transaction that has read something

  /**
   * Owns a handle.
   *
   * @param leak what is said if it is collected while it is in use
   */
  Shell(long address, LongConsumer free, String leak) {
    this.address = address;
    this.state = new State(address, free, leak);
    this.cleanable = CLEANER.register(this, state);
  }

  /** Says whether it would be a leak if it were collected now. */
  void inUse(boolean used) {
    state.used = used;
  }

  /** Room for a call; whoever asks uses the handle alone. */
  Room room() {
    if (room == null) {
      room = new Room();
    }
    return room;
  }

  /** Frees it at once. Only for who knows that nobody can use it any more. */
  void free() {
    state.used = false;
    cleanable.clean();
  }

  private static final class State implements Runnable {
    private final long address;
    private final LongConsumer free;
    private final String leak;
    private volatile boolean used;

    State(long address, LongConsumer free, String leak) {
      this.address = address;
      this.free = free;
      this.leak = leak;
    }

    @Override
    public void run() {
      free.accept(address);
      if (used) {
        LOGGER.log(Logger.Level.WARNING, leak);
      }
    }
  }
}
