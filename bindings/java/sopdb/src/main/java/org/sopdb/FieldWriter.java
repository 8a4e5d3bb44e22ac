package org.sopdb;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Writes the fields of a key one behind the other, packed as all languages have them
 * (docs/format.md). It is done here since that takes a third of the time of handing fields to the
 * library, which checks what it is given all the same.
 */
final class FieldWriter {
  static final int TAG_NULL = 0x00;
  static final int TAG_BYTES = 0x01;
  static final int TAG_STR = 0x02;
  static final int TAG_ZERO = 0x14; // of an integer of n bytes: n above, or n below if negative
  static final int TAG_FLOAT = 0x21;
  static final int TAG_FALSE = 0x26;
  static final int TAG_TRUE = 0x27;
  static final int TAG_UUID = 0x30;
  static final byte MARK_END = 0x01; // behind a 00, which otherwise stands for itself
  private static final byte MARK_NUL = -1; // behind one that does
  private static final int END_BYTES = 2;

  static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private byte[] data;
  private int size;

  /** Begins with room for so many bytes: if these are all, they are not copied. */
  FieldWriter(int room) {
    data = new byte[room];
  }

  void none(boolean descending) {
    tag(TAG_NULL, 0, descending);
  }

  void bool(boolean value, boolean descending) {
    tag(value ? TAG_TRUE : TAG_FALSE, 0, descending);
  }

  void integer(long value, boolean descending) {
    long distance = Math.abs(value); // from 0, unsigned
    int bytes = bytesOf(distance);
    tag(value < 0 ? TAG_ZERO - bytes : TAG_ZERO + bytes, bytes, descending);
    bits(value < 0 ? ~distance : distance, bytes, descending);
  }

  /** An integer of 0 to 2^64-1. */
  void natural(long value, boolean descending) {
    int bytes = bytesOf(value);
    tag(TAG_ZERO + bytes, bytes, descending);
    bits(value, bytes, descending);
  }

  void real(double value, boolean descending) {
    if (Double.isNaN(value)) {
      throw Status.SCHEMA.exception("NaN has no place in the order of keys: give a number or null");
    }
    long bits = Double.doubleToRawLongBits(value + 0.0); // one zero
    tag(TAG_FLOAT, Double.BYTES, descending);
    bits(bits < 0 ? ~bits : bits ^ Long.MIN_VALUE, Double.BYTES, descending);
  }

  void uuid(java.util.UUID value, boolean descending) {
    tag(TAG_UUID, 2 * Long.BYTES, descending);
    bits(value.getMostSignificantBits(), Long.BYTES, descending);
    bits(value.getLeastSignificantBits(), Long.BYTES, descending);
  }

  void text(String value, boolean descending) {
    int start = size;
    int length = value.length();
    tag(TAG_STR, length + END_BYTES, false);
    byte[] to = data;
    int at = size;
    for (int i = 0; i < length; i++) {
      char c = value.charAt(i);
      if (c == 0 || c >= 0x80) {
        size = start;
        escaped(TAG_STR, Text.utf8(value), descending);
        return;
      }
      to[at++] = (byte) c;
    }
    size = at;
    end(start, descending);
  }

  void bytes(byte[] value, boolean descending) {
    escaped(TAG_BYTES, value, descending);
  }

  private void escaped(int tag, byte[] value, boolean descending) {
    int start = size;
    int zeros = 0;
    for (byte b : value) {
      zeros += b == 0 ? 1 : 0;
    }
    tag(tag, Math.addExact(value.length, zeros + END_BYTES), false);
    for (byte b : value) {
      data[size++] = b;
      if (b == 0) {
        data[size++] = MARK_NUL;
      }
    }
    end(start, descending);
  }

  /** The end of a text or of bytes, whose tag is at {@code start}. */
  private void end(int start, boolean descending) {
    data[size] = 0;
    data[size + 1] = MARK_END;
    size += END_BYTES;
    for (int i = start; descending && i < size; i++) {
      data[i] = (byte) ~data[i];
    }
  }

  /** The first byte of a field, with room for so many behind it. */
  private void tag(int tag, int more, boolean descending) {
    long needed = (long) size + 1 + more;
    if (needed > data.length) {
      if (needed > Integer.MAX_VALUE - Long.BYTES) {
        throw Status.LIMIT.exception("the key has more than 2 GB; 64 KiB are the limit");
      }
      data =
          Arrays.copyOf(
              data, (int) Math.max(needed, Math.min(2L * data.length, Integer.MAX_VALUE / 2)));
    }
    data[size++] = (byte) (descending ? ~tag : tag);
  }

  private static int bytesOf(long number) {
    return Long.BYTES - Long.numberOfLeadingZeros(number) / Byte.SIZE;
  }

  /** The lowest bytes of a number, the highest of them first. */
  private void bits(long number, int bytes, boolean descending) {
    long given = descending ? ~number : number;
    for (int shift = (bytes - 1) * Byte.SIZE; shift >= 0; shift -= Byte.SIZE) {
      data[size++] = (byte) (given >>> shift);
    }
  }

  byte[] toBytes() {
    return size == data.length ? data : Arrays.copyOf(data, size);
  }
}
