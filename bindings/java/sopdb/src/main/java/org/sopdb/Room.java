package org.sopdb;

import java.nio.ByteBuffer;

/**
 * Memory beside the heap through which a get hands over a small key and gets a small value back.
 * Arrays would take four more calls from the native side into the virtual machine, which cost as
 * much as the lookup.
 */
final class Room {
  static final int ABSENT = -1;
  static final int TOO_LARGE = -2;
  private static final int KEY_BYTES = 512; // as in java.h
  private static final int VALUE_BYTES = 3584;

  private final ByteBuffer memory = ByteBuffer.allocateDirect(KEY_BYTES + VALUE_BYTES);
  private final long address = Raw.java_address(memory);

  static boolean takes(byte[] key) {
    return key.length <= KEY_BYTES;
  }

  /** Looks a key up that it takes: how many bytes its value has, or one of the above. */
  int get(long transaction, long store, byte[] key) {
    memory.put(0, key);
    return Raw.java_get(transaction, store, address, key.length);
  }

  /** The value of the last get. */
  byte[] value(int bytes) {
    byte[] value = new byte[bytes];
    memory.get(KEY_BYTES, value);
    return value;
  }
}
