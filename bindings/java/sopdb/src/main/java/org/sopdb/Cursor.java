package org.sopdb;

import java.lang.ref.Reference;
import java.util.Objects;

/**
 * Goes over a range both ways. It remembers its key, not its place: whatever the transaction
 * changes meanwhile, each key that lives is met at most once, and none that stays is left out. It
 * ends with its transaction.
 *
 * @param <K> the class of the keys
 * @param <V> the class of the values
 */
public final class Cursor<K, V> implements AutoCloseable {
  static final int REVERSE = 1;
  static final int KEYS = 2;
  private static final int FIRST = 0;
  private static final int LAST = 1;
  private static final int NEXT = 2;
  private static final int PREVIOUS = 3;
  private static final int STAY = 4;
  private static final int OK = 0;

  /** Where to go, relative to a key. */
  public enum Seek {
    /** The first item at or behind the key. */
    CEILING,
    /** The first item behind the key and all its duplicates. */
    HIGHER,
    /** The last item at or before the key. */
    FLOOR,
    /** The last item before the key. */
    LOWER,
    /** The item of the key, the oldest of its duplicates, or nowhere. */
    EXACT
  }

  private final Items<K, V> items;
  private final Transaction tx;
  private final boolean keysOnly;
  private Shell shell; // null once closed

  Cursor(Items<K, V> items, Shell shell, boolean keysOnly) {
    this.items = items;
    this.keysOnly = keysOnly;
    this.tx = items.transaction();
    this.shell = shell;
  }

  /**
   * Goes to the first item.
   *
   * @return the item, or null if the range is empty
   */
  public Item<K, V> first() {
    return move(FIRST);
  }

  /**
   * Goes to the last item.
   *
   * @return the item, or null if the range is empty
   */
  public Item<K, V> last() {
    return move(LAST);
  }

  /**
   * Goes to the next item; before the first move, to the first.
   *
   * @return the item, or null at the end: then it stands behind the last
   */
  public Item<K, V> next() {
    return move(NEXT);
  }

  /**
   * Goes to the previous item; before the first move, to the last.
   *
   * @return the item, or null at the start: then it stands before the first
   */
  public Item<K, V> previous() {
    return move(PREVIOUS);
  }

  /**
   * The item where it stands, as it is now.
   *
   * @return the item, or null if it stands on none, or the item was removed
   */
  public Item<K, V> current() {
    return move(STAY);
  }

  /**
   * Goes to a key.
   *
   * @param key the key
   * @param where relative to it
   * @return the item, or null if there is none: then next and previous go on from that place
   */
  public Item<K, V> seek(K key, Seek where) {
    return seek(items.store().key().encodeSort(Objects.requireNonNull(key, "key")), where);
  }

  /**
   * Goes to leading fields of a key.
   *
   * @param where relative to them; not {@link Seek#EXACT}
   * @param leading values of the leading fields, in their order
   * @return the item, or null if there is none
   */
  public Item<K, V> seekFields(Seek where, Object... leading) {
    return seek(items.store().key().encodePrefix(leading), where);
  }

  private Item<K, V> seek(byte[] key, Seek where) {
    byte[] row;
    long handle = enter();
    try {
      row = Raw.java_cursor_seek(handle, key, where.ordinal());
    } finally {
      leave();
    }
    return item(row);
  }

  private Item<K, V> move(int where) {
    byte[] row;
    long handle = enter();
    try {
      row = Raw.java_cursor_move(handle, where);
    } finally {
      leave();
    }
    return item(row);
  }

  private Item<K, V> item(byte[] row) {
    if (row == null) {
      return null;
    }
    Rows rows = new Rows(row);
    rows.next();
    Store<K, V> store = items.store();
    return new Item<>(
        rows.key(store.key()),
        keysOnly ? null : rows.value(store.value()),
        rows.version(),
        rows.item());
  }

  /**
   * Replaces the value of the item where it stands.
   *
   * @param value the new value
   * @return false if it stands on none, or the item was removed
   */
  public boolean update(V value) {
    byte[] data = items.store().value().encode(Objects.requireNonNull(value, "value"));
    long handle = enter();
    try {
      items.changes()[0]++;
      return Raw.sop_cursor_update(handle, data) == OK;
    } finally {
      leave();
    }
  }

  /**
   * Removes the item where it stands; next and previous go on from its place.
   *
   * @return false if it stands on none, or the item was removed
   */
  public boolean remove() {
    long handle = enter();
    try {
      items.changes()[0]++;
      return Raw.sop_cursor_remove(handle) == OK;
    } finally {
      leave();
    }
  }

  private long enter() {
    tx.enter();
    Shell open = shell;
    if (open == null) {
      tx.leave();
      throw Status.CLOSED.exception("the cursor is closed");
    }
    return open.address;
  }

  /** Ends a call, until which nobody may collect the cursor. */
  private void leave() {
    tx.leave();
    Reference.reachabilityFence(this);
  }

  /** Gives it back. Closing again does nothing. */
  @Override
  public void close() {
    if (tx.tryLock()) {
      try {
        if (shell != null) {
          shell.free();
          shell = null;
        }
      } finally {
        tx.leave();
      }
    }
  }
}
