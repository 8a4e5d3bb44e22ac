package org.sopdb;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * A store in a transaction, with all that it can do. Where a key only names an item, its ride-along
 * fields do not count. In a store with duplicates a key alone names the oldest item of it, and an
 * item has an id.
 *
 * <p>Reading, replacing or removing in a store that is not there is a {@link NotFoundException}
 * that names the store; putting and inserting create it.
 *
 * @param <K> the class of the keys
 * @param <V> the class of the values
 */
public final class Items<K, V> {
  private static final int OK = 0;
  private static final int PUT = 0;
  private static final int INSERT = 1;
  private static final int UPDATE = 2;
  private static final int REMOVE = 3;
  private static final int NOWAIT = 1;
  private static final int BATCH_BYTES = 256 * 1024;
  private static final int BATCH_ROWS = 4096;

  private final Transaction tx;
  private final Store<K, V> store;
  private final Declared declared;
  private final KeyType<K> keys;
  private final Codec<V> values;
  private boolean hasLarge; // values that a room does not hold
  private final long[] changes; // one counter for all declarations of the store in this transaction

  Items(Transaction tx, Store<K, V> store, Declared declared, long[] changes) {
    this.tx = tx;
    this.store = store;
    this.declared = declared;
    this.keys = store.key();
    this.values = store.value();
    this.changes = changes;
  }

  Store<K, V> store() {
    return store;
  }

  Transaction transaction() {
    return tx;
  }

  long[] changes() {
    return changes;
  }

  /** Grows with every change of the store in this transaction. */
  long stamp() {
    return changes[0] + tx.epoch();
  }

  /* ---- reading ---- */

  /**
   * The value of a key.
   *
   * @param key the key
   * @return its value, or null if it is not there
   */
  public V get(K key) {
    byte[] name = keys.encodeSort(key);
    byte[] value;
    Shell shell = tx.enterShell();
    try {
      value = get(shell, name);
    } finally {
      tx.leave();
    }
    return value == null ? null : values.decode(value, 0, value.length);
  }

  private byte[] get(Shell shell, byte[] name) {
    if (!hasLarge && Room.takes(name)) {
      Room room = shell.room();
      int bytes = room.get(shell.address, declared.address(), name);
      if (bytes != Room.TOO_LARGE) {
        return bytes == Room.ABSENT ? null : room.value(bytes);
      }
      hasLarge = true; // and will have more: they are not looked up twice
    }
    return Raw.sop_get(shell.address, declared.address(), name);
  }

  /**
   * The value of a key.
   *
   * @param key the key
   * @return its value, or nothing
   */
  public Optional<V> find(K key) {
    return Optional.ofNullable(get(key));
  }

  /**
   * Whether a key is there; its value is not read.
   *
   * @param key the key
   * @return whether it is
   */
  public boolean contains(K key) {
    byte[] name = keys.encodeSort(key);
    long handle = tx.enter();
    try {
      return Raw.java_has(handle, declared.address(), name) == OK;
    } finally {
      tx.leave();
    }
  }

  /**
   * The item of a key, with all that is known about it.
   *
   * @param key the key
   * @return the item, or null if it is not there
   */
  public Item<K, V> fetch(K key) {
    return fetch(key, 0);
  }

  /**
   * One of the items of a key.
   *
   * @param key the key
   * @param id of the item; 0: the oldest
   * @return the item, or null if it is not there
   */
  public Item<K, V> fetch(K key, long id) {
    return fetch(key, id, 0);
  }

  /**
   * The item of a key, if that is known without waiting for the disk: what is not in memory is to
   * be read in a thread that may wait, by {@link #fetch}, after which it is in memory.
   *
   * @param key the key
   * @return the item, or null if it is not there
   * @throws WouldBlockException if the disk would have to be read; the transaction goes on
   */
  public Item<K, V> fetchNow(K key) {
    return fetch(key, 0, NOWAIT);
  }

  /**
   * One of the items of a key, if that is known without waiting for the disk.
   *
   * @param key the key
   * @param id of the item; 0: the oldest, for which the disk may be read all the same in a store
   *     with duplicates
   * @return the item, or null if it is not there
   * @throws WouldBlockException if the disk would have to be read; the transaction goes on
   */
  public Item<K, V> fetchNow(K key, long id) {
    return fetch(key, id, NOWAIT);
  }

  private Item<K, V> fetch(K key, long id, int flags) {
    byte[] name = keys.encodeSort(key);
    byte[][] whole = new byte[1][];
    long[] about = new long[2];
    byte[] value;
    long handle = tx.enter();
    try {
      value = Raw.sop_fetch(handle, declared.address(), name, id, flags, whole, about);
    } finally {
      tx.leave();
    }
    return value == null
        ? null
        : new Item<>(
            keys.decode(new FieldReader(whole[0]).to(0, whole[0].length)),
            values.decode(value, 0, value.length),
            about[0],
            about[1]);
  }

  /**
   * Many keys in few calls.
   *
   * @param wanted the keys
   * @return those that are there, with their values, in the order in which they were asked for
   */
  public Map<K, V> getMany(Collection<? extends K> wanted) {
    return many(wanted, 0, rows -> rows.value(values));
  }

  /**
   * Many items in few calls, with all that is known about them.
   *
   * @param wanted the keys; with duplicates the oldest item of each
   * @return those that are there, in the order in which they were asked for
   */
  public Map<K, Item<K, V>> fetchMany(Collection<? extends K> wanted) {
    return many(
        wanted,
        Rows.ITEM | Rows.VERSION,
        rows -> new Item<>(rows.key(keys), rows.value(values), rows.version(), rows.item()));
  }

  private <T> Map<K, T> many(Collection<? extends K> wanted, int flags, Function<Rows, T> read) {
    Map<K, T> found = new LinkedHashMap<>();
    Rows.Builder batch = new Rows.Builder();
    List<K> asked = new ArrayList<>();
    for (K key : wanted) {
      batch.add(keys.encodeSort(key), null);
      asked.add(key);
      if (isFull(batch)) {
        takeBatch(batch.take(), flags, asked, read, found);
      }
    }
    if (batch.count() > 0) {
      takeBatch(batch.take(), flags, asked, read, found);
    }
    return found;
  }

  private <T> void takeBatch(
      byte[] packed, int flags, List<K> asked, Function<Rows, T> read, Map<K, T> found) {
    Rows rows;
    long handle = tx.enter();
    try {
      rows = new Rows(Raw.sop_get_many(handle, declared.address(), packed, flags));
    } finally {
      tx.leave();
    }
    for (K key : asked) {
      if (rows.next() && rows.isPresent()) {
        found.put(key, read.apply(rows));
      }
    }
    asked.clear();
  }

  /* ---- writing ---- */

  /**
   * Puts a value, added or replaced, without looking: two such puts never conflict.
   *
   * @param key the key with its ride-along fields
   * @param value the value
   */
  public void set(K key, V value) {
    byte[] name = keys.encode(key);
    byte[] data = encode(value);
    long handle = tx.enter();
    try {
      changes[0]++;
      Raw.sop_put(handle, declared.address(), name, data);
    } finally {
      tx.leave();
    }
  }

  /**
   * Adds a value if the key is not there.
   *
   * @param key the key with its ride-along fields
   * @param value the value
   * @return whether it was added
   */
  public boolean insert(K key, V value) {
    return insert(key, value, null);
  }

  /**
   * Adds an item to a store with duplicates.
   *
   * @param key the key with its ride-along fields
   * @param value the value
   * @return the id of the item
   * @throws ExistsException if the store has no duplicates, and the key is there
   */
  public long append(K key, V value) {
    long[] id = new long[1];
    if (!insert(key, value, id)) {
      throw Status.EXISTS.exception(
          "the key is there, and the store \"" + store.name() + "\" has no duplicates");
    }
    return id[0];
  }

  private boolean insert(K key, V value, long[] id) {
    byte[] name = keys.encode(key);
    byte[] data = encode(value);
    long handle = tx.enter();
    try {
      changes[0]++;
      return Raw.sop_insert(handle, declared.address(), name, data, id) == OK;
    } finally {
      tx.leave();
    }
  }

  /**
   * Replaces the value of a key, and its ride-along fields.
   *
   * @param key the key with its ride-along fields
   * @param value the new value
   * @return whether the key is there
   */
  public boolean update(K key, V value) {
    return update(key, 0, value);
  }

  /**
   * Replaces the value of one of the items of a key, and its ride-along fields.
   *
   * @param key the key with its ride-along fields
   * @param id of the item; 0: the oldest
   * @param value the new value
   * @return whether the item is there
   */
  public boolean update(K key, long id, V value) {
    byte[] name = keys.encode(key);
    byte[] data = encode(value);
    long handle = tx.enter();
    try {
      changes[0]++;
      return Raw.sop_update(handle, declared.address(), name, id, data) == OK;
    } finally {
      tx.leave();
    }
  }

  /**
   * Removes a key.
   *
   * @param key the key
   * @return whether it was there
   */
  public boolean remove(K key) {
    return remove(key, 0);
  }

  /**
   * Removes one of the items of a key.
   *
   * @param key the key
   * @param id of the item; 0: the oldest
   * @return whether it was there
   */
  public boolean remove(K key, long id) {
    byte[] name = keys.encodeSort(key);
    long handle = tx.enter();
    try {
      changes[0]++;
      return Raw.sop_remove(handle, declared.address(), name, id) == OK;
    } finally {
      tx.leave();
    }
  }

  /**
   * Replaces the ride-along fields of a key; its value is not touched.
   *
   * @param key the key with the new ones
   * @return whether the key is there
   */
  public boolean setRide(K key) {
    return setRide(key, 0);
  }

  /**
   * Replaces the ride-along fields of one of the items of a key.
   *
   * @param key the key with the new ones
   * @param id of the item; 0: the oldest
   * @return whether the item is there
   */
  public boolean setRide(K key, long id) {
    byte[] name = keys.encode(key);
    long handle = tx.enter();
    try {
      changes[0]++;
      return Raw.sop_set_ride(handle, declared.address(), name, id) == OK;
    } finally {
      tx.leave();
    }
  }

  /**
   * Puts many values in few calls, without looking.
   *
   * @param entries keys and values
   */
  public void putMany(Iterable<? extends Map.Entry<? extends K, ? extends V>> entries) {
    many(PUT, entries);
  }

  /**
   * Adds many values; stops at the first key that is there.
   *
   * @param entries keys and values
   * @return how many were added: the index of the first key that is there, if there is one
   */
  public long insertMany(Iterable<? extends Map.Entry<? extends K, ? extends V>> entries) {
    return many(INSERT, entries);
  }

  /**
   * Replaces many values; stops at the first key that is not there.
   *
   * @param entries keys and values
   * @return how many were replaced: the index of the first key that is not there, if there is one
   */
  public long updateMany(Iterable<? extends Map.Entry<? extends K, ? extends V>> entries) {
    return many(UPDATE, entries);
  }

  /**
   * Removes many keys; stops at the first that is not there.
   *
   * @param unwanted the keys
   * @return how many were removed: the index of the first key that is not there, if there is one
   */
  public long removeMany(Iterable<? extends K> unwanted) {
    Batches batches = new Batches(REMOVE);
    for (K key : unwanted) {
      if (!batches.add(keys.encodeSort(key), null)) {
        break;
      }
    }
    return batches.finish();
  }

  private long many(int how, Iterable<? extends Map.Entry<? extends K, ? extends V>> entries) {
    Batches batches = new Batches(how);
    for (Map.Entry<? extends K, ? extends V> entry : entries) {
      if (!batches.add(keys.encode(entry.getKey()), encode(entry.getValue()))) {
        break;
      }
    }
    return batches.finish();
  }

  /** Rows on their way, until one of them is not done. */
  private final class Batches {
    private final int how;
    private final Rows.Builder batch = new Rows.Builder();
    private long done;
    private boolean stopped;

    Batches(int how) {
      this.how = how;
    }

    /** False once a row was not done. */
    boolean add(byte[] key, byte[] value) {
      batch.add(key, value);
      if (isFull(batch)) {
        send();
      }
      return !stopped;
    }

    long finish() {
      if (batch.count() > 0 && !stopped) {
        send();
      }
      return done;
    }

    private void send() {
      long[] some = new long[1];
      byte[] packed = batch.take();
      long handle = tx.enter();
      try {
        changes[0]++;
        stopped = Raw.sop_put_many(handle, declared.address(), packed, how, some) != OK;
      } finally {
        tx.leave();
      }
      done += some[0];
    }
  }

  private static boolean isFull(Rows.Builder batch) {
    return batch.count() >= BATCH_ROWS || batch.size() >= BATCH_BYTES;
  }

  private byte[] encode(V value) {
    byte[] data = values.encode(Objects.requireNonNull(value, "value"));
    return Objects.requireNonNull(data, "what the codec made of the value");
  }

  /* ---- counters ---- */

  /**
   * Adds to an integer of 8 bytes ({@link Codec#counter}) without reading it: additions never
   * conflict. It wraps; a missing key counts as 0. In a store of {@link Codec#json} it is a {@link
   * SchemaException}, as are min and max: the key may be new, and 8 bytes are no JSON.
   *
   * @param key the key
   * @param by what to add
   */
  public void add(K key, long by) {
    byte[] name = counted(key);
    long handle = tx.enter();
    try {
      changes[0]++;
      Raw.sop_add(handle, declared.address(), name, by);
    } finally {
      tx.leave();
    }
  }

  /**
   * Lowers an integer of 8 bytes to a number, if it is higher or missing.
   *
   * @param key the key
   * @param to the number
   */
  public void min(K key, long to) {
    byte[] name = counted(key);
    long handle = tx.enter();
    try {
      changes[0]++;
      Raw.sop_min(handle, declared.address(), name, to);
    } finally {
      tx.leave();
    }
  }

  /**
   * Raises an integer of 8 bytes to a number, if it is lower or missing.
   *
   * @param key the key
   * @param to the number
   */
  public void max(K key, long to) {
    byte[] name = counted(key);
    long handle = tx.enter();
    try {
      changes[0]++;
      Raw.sop_max(handle, declared.address(), name, to);
    } finally {
      tx.leave();
    }
  }

  /** The key is perhaps new, and its 8 bytes would be no JSON. */
  private byte[] counted(K key) {
    if (values instanceof Json.Jackson) {
      throw Status.SCHEMA.exception(
          "add, min and max are for Codec.counter(); the values of \""
              + store.name()
              + "\" are JSON");
    }
    return keys.encode(key);
  }

  /* ---- ranges ---- */

  /**
   * Counts all items: one look-up, validated, so that it conflicts with every insert and remove.
   *
   * @return how many there are
   */
  public long count() {
    return count(Range.all());
  }

  /**
   * Counts the items of a range.
   *
   * @param range the range
   * @return how many there are
   */
  public long count(Range<K> range) {
    byte[] bounds = range.encode(keys);
    long handle = tx.enter();
    try {
      return Raw.sop_count(handle, declared.address(), bounds);
    } finally {
      tx.leave();
    }
  }

  /**
   * Removes the items of a range.
   *
   * @param range the range
   * @return how many there were
   */
  public long removeRange(Range<K> range) {
    byte[] bounds = range.encode(keys);
    long handle = tx.enter();
    try {
      changes[0]++;
      return Raw.sop_remove_range(handle, declared.address(), bounds);
    } finally {
      tx.leave();
    }
  }

  /**
   * The items of a range in their order, read in batches as they are needed.
   *
   * @param range the range
   * @return a stream that ends with the transaction
   */
  public Stream<Item<K, V>> stream(Range<K> range) {
    return stream(range, Long.MAX_VALUE);
  }

  /**
   * The first of these. Nothing beyond them is read, so that no change of it is a conflict.
   *
   * @param range the range
   * @param limit how many at most
   * @return a stream that ends with the transaction
   */
  public Stream<Item<K, V>> stream(Range<K> range, long limit) {
    return Scan.of(this, range, false, false, limit).stream(Scan::item);
  }

  /**
   * The items of a range, the last one first.
   *
   * @param range the range
   * @return a stream that ends with the transaction
   */
  public Stream<Item<K, V>> reverse(Range<K> range) {
    return reverse(range, Long.MAX_VALUE);
  }

  /**
   * The first of these. Nothing beyond them is read, so that no change of it is a conflict.
   *
   * @param range the range
   * @param limit how many at most
   * @return a stream that ends with the transaction
   */
  public Stream<Item<K, V>> reverse(Range<K> range, long limit) {
    return Scan.of(this, range, true, false, limit).stream(Scan::item);
  }

  /**
   * The keys of a range, with their ride-along fields. Values are not read, and changes of them are
   * no conflict.
   *
   * @param range the range
   * @return a stream that ends with the transaction
   */
  public Stream<K> keys(Range<K> range) {
    return keys(range, Long.MAX_VALUE);
  }

  /**
   * The first of these. Nothing beyond them is read, so that no change of it is a conflict.
   *
   * @param range the range
   * @param limit how many at most
   * @return a stream that ends with the transaction
   */
  public Stream<K> keys(Range<K> range, long limit) {
    return Scan.of(this, range, false, true, limit).stream(Scan::key);
  }

  /**
   * The keys of a range, the last one first.
   *
   * @param range the range
   * @return a stream that ends with the transaction
   */
  public Stream<K> reverseKeys(Range<K> range) {
    return reverseKeys(range, Long.MAX_VALUE);
  }

  /**
   * The first of these. Nothing beyond them is read, so that no change of it is a conflict.
   *
   * @param range the range
   * @param limit how many at most
   * @return a stream that ends with the transaction
   */
  public Stream<K> reverseKeys(Range<K> range, long limit) {
    return Scan.of(this, range, true, true, limit).stream(Scan::key);
  }

  /**
   * The items with an equal key, the oldest first.
   *
   * @param key the key
   * @return all of them
   */
  public List<Item<K, V>> all(K key) {
    return stream(Range.<K>all().from(key).through(key)).toList();
  }

  /**
   * A cursor over everything.
   *
   * @return a cursor before the first item
   */
  public Cursor<K, V> cursor() {
    return cursor(Range.all());
  }

  /**
   * A cursor over a range.
   *
   * @param range the range
   * @return a cursor before the first item
   */
  public Cursor<K, V> cursor(Range<K> range) {
    return new Cursor<>(this, open(range, 0), false);
  }

  /**
   * A cursor over the keys of a range; values are not read.
   *
   * @param range the range
   * @return a cursor before the first item, whose items have no value and the version 0
   */
  public Cursor<K, V> keyCursor(Range<K> range) {
    return new Cursor<>(this, open(range, Cursor.KEYS), true);
  }

  private Shell open(Range<K> range, int flags) {
    byte[] bounds = range.encode(keys);
    long handle = tx.enter();
    try {
      return new Shell(
          Raw.java_cursor_open(handle, declared.address(), bounds, flags),
          Raw::sop_cursor_free,
          "");
    } finally {
      tx.leave();
    }
  }

  /** A batch of rows of an encoded range, or null if it is empty. */
  Rows scan(byte[] bounds, int cursorFlags, int rowsMax, int rowFlags) {
    byte[] rows;
    long handle = tx.enter();
    try {
      rows = Raw.java_scan(handle, declared.address(), bounds, cursorFlags, rowsMax, rowFlags);
    } finally {
      tx.leave();
    }
    return rows == null ? null : new Rows(rows);
  }
}
