package org.sopdb;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Arrays;

/**
 * Reads the fields of packed keys (docs/format.md), which the library gives out as they lie: they
 * are well-formed.
 */
final class FieldReader {
  /* What a field holds. */
  static final int NULL = 0;
  static final int BOOL = 1;
  static final int INT = 2;
  static final int UINT = 3; // an integer beyond 2^63-1
  static final int FLOAT = 4;
  static final int BYTES = 5;
  static final int STR = 6;
  static final int UUID = 7;

  private static final long ONES = 0x0101010101010101L;
  private static final long HIGH_BITS = 0x8080808080808080L;

  /** Whether there are more fields: takes a FieldReader. */
  static final MethodHandle HAS_NEXT;

  static {
    try {
      HAS_NEXT =
          MethodHandles.lookup()
              .findVirtual(FieldReader.class, "hasNext", MethodType.methodType(boolean.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final byte[] data;
  private int end;
  private int at;
  private int tag;
  private int mask; // -1: all bits of the field are inverted, since it descends

  FieldReader(byte[] data) {
    this.data = data;
  }

  /** Goes to a key in the bytes. */
  FieldReader to(int offset, int length) {
    at = offset;
    end = offset + length;
    return this;
  }

  /** What follows, as it is. */
  byte[] rest() {
    return Arrays.copyOfRange(data, at, end);
  }

  boolean hasNext() {
    return at < end;
  }

  /**
   * Goes to the next field; what it holds, one of the numbers above; times are integers. One of the
   * functions below must read it, unless it is NULL.
   */
  int next(boolean descending) {
    if (at >= end) {
      throw Status.SCHEMA.exception("the key ends before its last field");
    }
    mask = descending ? -1 : 0;
    tag = (data[at++] ^ mask) & 0xff;
    int bytes = tag - FieldWriter.TAG_ZERO;
    if (bytes >= -Long.BYTES && bytes <= Long.BYTES) {
      return bytes == Long.BYTES && (data[at] ^ mask) < 0 ? UINT : INT;
    }
    return switch (tag) {
      case FieldWriter.TAG_NULL -> NULL;
      case FieldWriter.TAG_BYTES -> BYTES;
      case FieldWriter.TAG_STR -> STR;
      case FieldWriter.TAG_FLOAT -> FLOAT;
      case FieldWriter.TAG_FALSE, FieldWriter.TAG_TRUE -> BOOL;
      case FieldWriter.TAG_UUID -> UUID;
      default -> throw Status.SCHEMA.exception("no field of a key begins with " + tag);
    };
  }

  boolean bool() {
    return tag == FieldWriter.TAG_TRUE;
  }

  /** INT or UINT. */
  long number() {
    int bytes = tag - FieldWriter.TAG_ZERO;
    return bytes >= 0 ? load(bytes) : load(-bytes) - (-1L >>> (Long.SIZE + Long.SIZE / 8 * bytes));
  }

  double real() {
    long bits = load(Double.BYTES);
    return Double.longBitsToDouble(bits < 0 ? bits ^ Long.MIN_VALUE : ~bits);
  }

  java.util.UUID uuid() {
    long high = load(Long.BYTES);
    return new java.util.UUID(high, load(Long.BYTES));
  }

  byte[] bytes() {
    int from = at;
    int zero = zero(from);
    if (data[zero + 1] == (FieldWriter.MARK_END ^ (byte) mask)) {
      at = zero + 2;
      byte[] plain = Arrays.copyOfRange(data, from, zero);
      invert(plain);
      return plain;
    }
    return unescape(from);
  }

  String text() {
    int from = at;
    int zero = zero(from);
    if (mask == 0 && data[zero + 1] == FieldWriter.MARK_END) {
      at = zero + 2;
      return new String(data, from, zero - from, UTF_8);
    }
    return new String(bytes(), UTF_8);
  }

  /** Bytes with a 00 among them, each of which has an FF behind it. */
  private byte[] unescape(int from) {
    byte[] out = new byte[end - from];
    int size = 0;
    int done = from;
    int zero = zero(from);
    while (data[zero + 1] != (FieldWriter.MARK_END ^ (byte) mask)) {
      System.arraycopy(data, done, out, size, zero + 1 - done);
      size += zero + 1 - done;
      done = zero + 2;
      zero = zero(done);
    }
    System.arraycopy(data, done, out, size, zero - done);
    at = zero + 2;
    out = Arrays.copyOf(out, size + zero - done);
    invert(out);
    return out;
  }

  private void invert(byte[] bytes) {
    for (int i = 0; mask != 0 && i < bytes.length; i++) {
      bytes[i] = (byte) ~bytes[i];
    }
  }

  /** Where the next 00 is, which has a byte behind it; eight bytes are looked at at once. */
  private int zero(int from) {
    int i = from;
    for (; end - i >= Long.BYTES; i += Long.BYTES) {
      long word = (long) FieldWriter.LONGS.get(data, i) ^ mask;
      long zeros = word - ONES & ~word & HIGH_BITS;
      if (zeros != 0) {
        i += Long.numberOfTrailingZeros(zeros) / Byte.SIZE;
        break;
      }
    }
    while (i < end && data[i] != (byte) mask) {
      i++;
    }
    if (i + 1 >= end) {
      throw Status.SCHEMA.exception("the key ends inside a text");
    }
    return i;
  }

  /** The next bytes as a number, the highest first. */
  private long load(int bytes) {
    if (end - at < bytes) {
      throw Status.SCHEMA.exception("the key ends inside a number");
    }
    long bits = 0;
    for (int i = 0; i < bytes; i++) {
      bits = bits << Byte.SIZE | (data[at + i] ^ mask) & 0xff;
    }
    at += bytes;
    return bits;
  }
}
