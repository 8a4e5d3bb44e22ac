package org.sopdb;

import java.util.Arrays;

/**
 * A range of keys. The end is outside unless {@code through} sets it. Bounds are whole keys, or the
 * leading fields of one.
 *
 * @param <K> the class of the keys
 */
public final class Range<K> {
  static final int FROM = 1;
  static final int TO = 2;
  static final int AFTER = 8;
  static final int THROUGH = 16;
  private static final int BEGINS = 0x100; // what begins with the end is inside, also of raw keys
  private static final int TEXT =
      0x200; // the last field of the bounds is a part of an ascending text
  private static final int TO_ANY = TO | THROUGH | BEGINS;

  private static final Range<?> ALL = new Range<>(0, 0, null, null);

  /** A bound: a key, or leading fields. */
  private record Bound<K>(K key, Object[] leading) {
    byte[] encode(KeyType<K> type) {
      return leading == null ? type.encodeSort(key) : type.encodePrefix(leading);
    }

    /** How a key compares with it; all keys with the leading fields are equal to them. */
    int compare(KeyType<K> type, K other) {
      return leading == null ? type.compare(other, key) : type.compareLeading(other, leading);
    }
  }

  private final int flags;
  private final long item;
  private final Bound<K> from;
  private final Bound<K> to;

  private Range(int flags, long item, Bound<K> from, Bound<K> to) {
    this.flags = flags;
    this.item = item;
    this.from = from;
    this.to = to;
  }

  /**
   * Everything.
   *
   * @param <K> the class of the keys
   * @return the range
   */
  @SuppressWarnings("unchecked")
  public static <K> Range<K> all() {
    return (Range<K>) ALL;
  }

  /**
   * All keys that begin with these fields, or with these bytes if keys are raw.
   *
   * @param leading values of the leading fields, in their order
   * @param <K> the class of the keys
   * @return the range
   */
  public static <K> Range<K> prefix(Object... leading) {
    Bound<K> bound = new Bound<>(null, leading.clone());
    return new Range<>(FROM | TO | BEGINS, 0, bound, bound);
  }

  /**
   * All keys whose first fields are these, but the last of them, a text, is what the field begins
   * with: {@code startsWith("an")} has "an" and "ann".
   *
   * @param leading values of the leading fields, in their order; the field of the last one is
   *     ascending
   * @param <K> the class of the keys
   * @return the range
   */
  public static <K> Range<K> startsWith(Object... leading) {
    int last = leading.length - 1;
    if (last < 0 || !(leading[last] instanceof String text)) {
      throw Status.MISUSE.exception("startsWith takes a text last; prefix takes whole fields");
    }
    Object[] before = Arrays.copyOf(leading, last);
    if (text.isEmpty()) {
      return last == 0 ? all() : prefix(before);
    }
    Object[] end = leading.clone();
    end[last] = Text.behind(text);
    Bound<K> from = new Bound<>(null, leading.clone());
    if (end[last] != null) {
      return new Range<>(FROM | TO | TEXT, 0, from, new Bound<>(null, end));
    }
    return last == 0
        ? new Range<>(FROM | TEXT, 0, from, null)
        : new Range<>(FROM | TO | THROUGH | TEXT, 0, from, new Bound<>(null, before));
  }

  /**
   * The same, beginning with a key.
   *
   * @param key the first one
   * @return the range
   */
  public Range<K> from(K key) {
    return withFrom(FROM, 0, new Bound<>(key, null));
  }

  /**
   * The same, beginning with the first key that has these leading fields, or is behind them.
   *
   * @param leading values of the leading fields, in their order
   * @return the range
   */
  public Range<K> fromFields(Object... leading) {
    return withFrom(FROM, 0, new Bound<>(null, leading.clone()));
  }

  /**
   * The same, beginning behind a key and all its duplicates.
   *
   * @param key the one before the first
   * @return the range
   */
  public Range<K> after(K key) {
    return withFrom(FROM | AFTER, 0, new Bound<>(key, null));
  }

  /**
   * The same, beginning behind an item of a store with duplicates.
   *
   * @param key of the item
   * @param id of the item
   * @return the range
   */
  public Range<K> after(K key, long id) {
    return withFrom(FROM | AFTER, id, new Bound<>(key, null));
  }

  /**
   * The same, beginning behind the last key that has these leading fields.
   *
   * @param leading values of the leading fields, in their order
   * @return the range
   */
  public Range<K> afterFields(Object... leading) {
    return withFrom(FROM | AFTER, 0, new Bound<>(null, leading.clone()));
  }

  /**
   * The same, ending before a key.
   *
   * @param key the first one that is outside
   * @return the range
   */
  public Range<K> to(K key) {
    return withTo(TO, new Bound<>(key, null));
  }

  /**
   * The same, ending before the first key that has these leading fields.
   *
   * @param leading values of the leading fields, in their order
   * @return the range
   */
  public Range<K> toFields(Object... leading) {
    return withTo(TO, new Bound<>(null, leading.clone()));
  }

  /**
   * The same, ending with a key and all its duplicates.
   *
   * @param key the last one
   * @return the range
   */
  public Range<K> through(K key) {
    return withTo(TO | THROUGH, new Bound<>(key, null));
  }

  /**
   * The same, ending behind the last key that has these leading fields.
   *
   * @param leading values of the leading fields, in their order
   * @return the range
   */
  public Range<K> throughFields(Object... leading) {
    return withTo(TO | THROUGH, new Bound<>(null, leading.clone()));
  }

  private Range<K> withFrom(int set, long newItem, Bound<K> bound) {
    return new Range<>(flags & ~(FROM | AFTER | TEXT) | set, newItem, bound, to);
  }

  private Range<K> withTo(int set, Bound<K> bound) {
    return new Range<>(flags & ~TO_ANY | set, item, from, bound);
  }

  /** As bindings/swig/java.h reads it; null is everything. */
  byte[] encode(KeyType<K> type) {
    if ((flags & TEXT) != 0) {
      type.requireAscendingText(from.leading().length - 1);
    }
    return flags == 0 ? null : encode(type, flags, item, packed(from, type), packed(to, type));
  }

  private static <K> byte[] packed(Bound<K> bound, KeyType<K> type) {
    return bound == null ? null : bound.encode(type);
  }

  private static byte[] encode(KeyType<?> type, int flags, long item, byte[] from, byte[] to) {
    int set = flags & ~(BEGINS | TEXT);
    byte[] end = to;
    if ((flags & BEGINS) != 0 && type != KeyType.RAW) {
      set |= THROUGH;
    } else if ((flags & BEGINS) != 0) {
      end = behind(to);
      set &= end == null ? ~TO : ~0;
    }
    int fromSize = from == null ? 0 : from.length;
    int endSize = end == null ? 0 : end.length;
    byte[] data = new byte[20 + fromSize + endSize];
    FieldWriter.INTS.set(data, 0, set);
    FieldWriter.LONGS.set(data, 4, item);
    FieldWriter.INTS.set(data, 12, fromSize);
    FieldWriter.INTS.set(data, 16 + fromSize, endSize);
    if (from != null) {
      System.arraycopy(from, 0, data, 16, fromSize);
    }
    if (end != null) {
      System.arraycopy(end, 0, data, 20 + fromSize, endSize);
    }
    return data;
  }

  /** The first bytes behind all that begin with these; null: there are none. */
  private static byte[] behind(byte[] prefix) {
    int size = prefix.length;
    while (size > 0 && prefix[size - 1] == -1) {
      size--;
    }
    if (size == 0) {
      return null;
    }
    byte[] next = Arrays.copyOf(prefix, size);
    next[size - 1]++;
    return next;
  }

  /** Whether a key is before the range. */
  boolean isBelow(KeyType<K> type, K key) {
    if (from == null) {
      return false;
    }
    int order = from.compare(type, key);
    return (flags & AFTER) != 0 ? order <= 0 : order < 0;
  }

  /** Whether a key is behind the range. */
  boolean isAbove(KeyType<K> type, K key) {
    if (to == null) {
      return false;
    }
    int order = to.compare(type, key);
    return (flags & (THROUGH | BEGINS)) != 0 ? order > 0 : order >= 0;
  }

  /** Whether a key is one of the bounds. */
  boolean isBound(KeyType<K> type, K key) {
    return from != null && from.compare(type, key) == 0 || to != null && to.compare(type, key) == 0;
  }

  /** What is left of it behind an item that a scan has come to, by its packed key. */
  byte[] encodeAfter(KeyType<K> type, byte[] key, long id) {
    return encode(type, flags | FROM | AFTER, id, key, packed(to, type));
  }

  /** What is left of it before a packed key that a scan backwards has come to. */
  byte[] encodeBefore(KeyType<K> type, byte[] key) {
    return encode(type, flags & ~TO_ANY | TO, item, packed(from, type), key);
  }
}
