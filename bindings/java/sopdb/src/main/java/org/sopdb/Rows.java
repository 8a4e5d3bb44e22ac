package org.sopdb;

import java.util.Arrays;

/** Batches of rows, as {@code sop/store.h} packs them; those that come have packed keys. */
final class Rows {
  static final int ITEM = 1;
  static final int VERSION = 2;
  private static final int END = 0x80000000;
  private static final int ABSENT = -1;
  private static final int HEAD = 8;

  private final byte[] data;
  private final FieldReader reader;
  private final int flags;
  private final int count;
  private int done;
  private int at = HEAD;
  private int keySize;
  private int valueSize;
  private int keyAt;

  Rows(byte[] data) {
    this.data = data;
    this.reader = new FieldReader(data);
    this.count = (int) FieldWriter.INTS.get(data, 0);
    this.flags = (int) FieldWriter.INTS.get(data, 4);
  }

  /** Goes to the next row, if there is one. */
  boolean next() {
    if (done == count) {
      return false;
    }
    done++;
    keySize = (int) FieldWriter.INTS.get(data, at);
    valueSize = (int) FieldWriter.INTS.get(data, at + 4);
    keyAt = at + 8 + ((flags & ITEM) != 0 ? 8 : 0) + ((flags & VERSION) != 0 ? 8 : 0);
    at = aligned(keyAt + keySize + Math.max(valueSize, 0));
    return true;
  }

  /** Whether nothing follows the last row. */
  boolean isEnd() {
    return (flags & END) != 0;
  }

  boolean isPresent() {
    return valueSize != ABSENT;
  }

  <K> K key(KeyType<K> type) {
    return type.decode(reader.to(keyAt, keySize));
  }

  byte[] packedKey() {
    return Arrays.copyOfRange(data, keyAt, keyAt + keySize);
  }

  <V> V value(Codec<V> codec) {
    return codec.decode(data, keyAt + keySize, valueSize);
  }

  long item() {
    return (flags & ITEM) != 0
        ? (long) FieldWriter.LONGS.get(data, keyAt - ((flags & VERSION) != 0 ? 16 : 8))
        : 0;
  }

  long version() {
    return (flags & VERSION) != 0 ? (long) FieldWriter.LONGS.get(data, keyAt - 8) : 0;
  }

  private static int aligned(int size) {
    return (size + 7) & ~7;
  }

  /** Collects rows for one call. */
  static final class Builder {
    private static final int ROOM = 4096;
    private static final byte[] NOTHING = new byte[0];

    private byte[] data = new byte[ROOM];
    private int size = HEAD;
    private int count;

    void add(byte[] key, byte[] value) {
      byte[] bytes = value == null ? NOTHING : value;
      long end = (long) size + HEAD + key.length + bytes.length + HEAD;
      if (end > Integer.MAX_VALUE - HEAD) {
        throw Status.LIMIT.exception("a batch is larger than 2 GB");
      }
      if (end > data.length) {
        data =
            Arrays.copyOf(
                data, (int) Math.min(Integer.MAX_VALUE - HEAD, Math.max(2L * data.length, end)));
      }
      FieldWriter.INTS.set(data, size, key.length);
      FieldWriter.INTS.set(data, size + 4, bytes.length);
      System.arraycopy(key, 0, data, size + HEAD, key.length);
      System.arraycopy(bytes, 0, data, size + HEAD + key.length, bytes.length);
      size = aligned(size + HEAD + key.length + bytes.length);
      count++;
    }

    int count() {
      return count;
    }

    int size() {
      return size;
    }

    /** The batch; the builder is then empty again. */
    byte[] take() {
      FieldWriter.INTS.set(data, 0, count);
      byte[] batch = Arrays.copyOf(data, size);
      size = HEAD;
      count = 0;
      return batch;
    }
  }
}
