package org.sopdb;

import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Goes over a range, a batch of rows at a time, and remembers the key where it is: it holds nothing
 * native that somebody must close. After a change of the store in the same transaction it asks
 * again, so that each key that lives is met at most once and none that stays is left out.
 */
abstract class Scan<K, V> {
  private static final int ROWS_FIRST = 16;
  private static final int ROWS_MAX = 1024;
  private static final int GROWTH = 4;

  /**
   * Over rows, or over a cursor where a range cannot say where it stands: backwards among
   * duplicates.
   */
  static <K, V> Scan<K, V> of(
      Items<K, V> items, Range<K> range, boolean reverse, boolean keysOnly, long limit) {
    if (limit < 0) {
      throw Status.MISUSE.exception("the limit is " + limit + ": give 0 or more");
    }
    return reverse && items.store().hasDuplicates()
        ? new ByCursor<>(keysOnly ? items.keyCursor(range) : items.cursor(range), limit)
        : new ByBatch<>(items, range, reverse, keysOnly, limit);
  }

  /** The first item of a range, or null; one row is read. */
  static <K, V> Item<K, V> first(
      Items<K, V> items, Range<K> range, boolean reverse, boolean keysOnly) {
    int flags = (reverse ? Cursor.REVERSE : 0) | (keysOnly ? Cursor.KEYS : 0);
    Rows rows = items.scan(range.encode(items.store().key()), flags, 1, rowFlags(items));
    if (rows == null) {
      return null;
    }
    rows.next();
    return new Item<>(
        rows.key(items.store().key()),
        keysOnly ? null : rows.value(items.store().value()),
        rows.version(),
        rows.item());
  }

  private static int rowFlags(Items<?, ?> items) {
    return Rows.VERSION | (items.store().hasDuplicates() ? Rows.ITEM : 0);
  }

  /** Goes to the next item, if there is one. */
  abstract boolean next();

  abstract K key();

  abstract V value();

  /** Of the item; 0 in a store without duplicates. */
  abstract long id();

  abstract Item<K, V> item();

  /**
   * Told of a change that the user of this scan made to the item where it stands: what is fetched
   * already stays right.
   */
  void changedHere(long stampBefore) {}

  <T> Stream<T> stream(Function<Scan<K, V>, T> each) {
    int traits = Spliterator.ORDERED | Spliterator.NONNULL;
    return StreamSupport.stream(
        new Spliterators.AbstractSpliterator<T>(Long.MAX_VALUE, traits) {
          @Override
          public boolean tryAdvance(Consumer<? super T> action) {
            if (!next()) {
              return false;
            }
            action.accept(each.apply(Scan.this));
            return true;
          }

          @Override
          public void forEachRemaining(Consumer<? super T> action) {
            while (next()) {
              action.accept(each.apply(Scan.this));
            }
          }

          @Override
          public Spliterator<T> trySplit() {
            return null; // a transaction is used by one thread at a time
          }
        },
        false);
  }

  private static final class ByBatch<K, V> extends Scan<K, V> {
    private final Items<K, V> items;
    private final KeyType<K> keys;
    private final Range<K> range;
    private final boolean reverse;
    private final int cursorFlags;
    private final int rowFlags;
    private Rows rows; // null before the first batch
    private long stamp; // of the items when the batch was read
    private int rowsMax = ROWS_FIRST;
    private K key; // where it stands, once it has been asked for
    private boolean ended;
    private long left; // rows that may still be met

    ByBatch(Items<K, V> items, Range<K> range, boolean reverse, boolean keysOnly, long limit) {
      this.left = limit;
      this.items = items;
      this.keys = items.store().key();
      this.range = range;
      this.reverse = reverse;
      this.cursorFlags = (reverse ? Cursor.REVERSE : 0) | (keysOnly ? Cursor.KEYS : 0);
      this.rowFlags = rowFlags(items);
    }

    @Override
    boolean next() {
      if (ended || left == 0 || !items.transaction().isOpen()) {
        return over();
      }
      key = null;
      boolean more = advance();
      left -= more ? 1 : 0;
      return more;
    }

    private boolean advance() {
      if (rows != null && stamp == items.stamp()) {
        if (rows.next()) {
          return true;
        }
        if (rows.isEnd()) {
          return over();
        }
        rowsMax = Math.min(ROWS_MAX, rowsMax * GROWTH);
      } else if (rows != null) {
        rowsMax = Math.max(2, rowsMax / GROWTH); // what was fetched has been for nothing
      }
      return fetch();
    }

    private boolean over() {
      if (!items.transaction().isOpen()) {
        throw Transaction.closed();
      }
      ended = true;
      return false;
    }

    private boolean fetch() {
      byte[] bounds;
      if (rows == null) {
        bounds = range.encode(keys);
      } else {
        byte[] at = rows.packedKey();
        bounds = reverse ? range.encodeBefore(keys, at) : range.encodeAfter(keys, at, rows.item());
      }
      stamp = items.stamp();
      Rows more = items.scan(bounds, cursorFlags, (int) Math.min(left, rowsMax), rowFlags);
      if (more == null) {
        return over();
      }
      rows = more;
      return rows.next();
    }

    @Override
    void changedHere(long stampBefore) {
      if (stamp == stampBefore) {
        stamp = items.stamp();
      }
    }

    @Override
    K key() {
      if (key == null) {
        key = rows.key(keys);
      }
      return key;
    }

    @Override
    V value() {
      return rows.value(items.store().value());
    }

    @Override
    long id() {
      return rows.item();
    }

    @Override
    Item<K, V> item() {
      return new Item<>(key(), value(), rows.version(), rows.item());
    }
  }

  private static final class ByCursor<K, V> extends Scan<K, V> {
    private final Cursor<K, V> cursor;
    private Item<K, V> item;
    private boolean begun;
    private long left; // rows that may still be met

    ByCursor(Cursor<K, V> cursor, long limit) {
      this.cursor = cursor;
      this.left = limit;
    }

    @Override
    boolean next() {
      if (left > 0) {
        item = begun ? cursor.previous() : cursor.last();
        begun = true;
        left = item == null ? 0 : left - 1;
        return item != null;
      }
      cursor.close();
      return false;
    }

    @Override
    K key() {
      return item.key();
    }

    @Override
    V value() {
      return item.value();
    }

    @Override
    long id() {
      return item.id();
    }

    @Override
    Item<K, V> item() {
      return item;
    }
  }
}
