package org.sopdb;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Writes the fields of a key one behind the other, as bindings/swig/java.h reads them. */
final class FieldWriter {
  static final int NULL = 0;
  static final int BOOL = 1;
  static final int INT = 2;
  static final int UINT = 3;
  static final int FLOAT = 4;
  static final int BYTES = 5;
  static final int STR = 6;
  static final int UUID = 7;
  static final int TS = 8;

  static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int ROOM = 64;

  private byte[] data = new byte[ROOM];
  private int size;

  void none() {
    reserve(1);
    data[size++] = NULL;
  }

  void bool(boolean value) {
    reserve(2);
    data[size++] = BOOL;
    data[size++] = (byte) (value ? 1 : 0);
  }

  /** INT, UINT, TS, or the bits of FLOAT. */
  void number(int type, long bits) {
    reserve(9);
    data[size] = (byte) type;
    LONGS.set(data, size + 1, bits);
    size += 9;
  }

  void uuid(java.util.UUID value) {
    reserve(17);
    data[size] = UUID;
    System.arraycopy(Uuids.bytes(value), 0, data, size + 1, 16);
    size += 17;
  }

  /** BYTES or STR. */
  void bytes(int type, byte[] value) {
    reserve(5 + value.length);
    data[size] = (byte) type;
    INTS.set(data, size + 1, value.length);
    System.arraycopy(value, 0, data, size + 5, value.length);
    size += 5 + value.length;
  }

  byte[] toBytes() {
    return size == data.length ? data : Arrays.copyOf(data, size);
  }

  private void reserve(int more) {
    if (data.length - size < more) {
      data = Arrays.copyOf(data, Math.max(2 * data.length, size + more));
    }
  }
}
