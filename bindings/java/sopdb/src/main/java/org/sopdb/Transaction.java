package org.sopdb;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A transaction: strictly serializable, over any number of stores. One thread uses it at a time;
 * another call at the same moment gets {@link MisuseException}, except {@link #cancel}. Closing
 * rolls back what was not committed. Maps, items and cursors belong to it and end with it.
 *
 * <p>{@link Database#update} and {@link Database#view} make one, end it, and run it again after a
 * conflict.
 *
 * <p>Interrupting the thread ends no call: the flag stays as it is. A call that takes too long ends
 * by its deadline ({@link TxOptions#withDeadline}), or by {@link #cancel} from another thread.
 */
public final class Transaction implements AutoCloseable {
  private static final VarHandle BUSY;

  static {
    try {
      BUSY = MethodHandles.lookup().findVarHandle(Transaction.class, "busy", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Database db;
  private final TxOptions options;
  private final TxPool pool;
  private volatile Shell shell; // null once closed
  private volatile int busy; // 1 while a call runs
  private boolean ended; // by commit or rollback
  private final long startedNs; // of one that writes
  private Items<?, ?> first; // of the store that was used first
  private Map<Store<?, ?>, Items<?, ?>> others;
  private long epoch; // counts what may change any store

  Transaction(Database db, TxOptions options, Shell shell, TxPool pool) {
    this.db = db;
    this.options = options;
    this.shell = shell;
    this.pool = pool;
    this.startedNs = options.mode().writes() ? System.nanoTime() : 0;
    shell.inUse(true);
  }

  /* ---- one call at a time ---- */

  /** Begins a call: the handle, which stays while the call runs. {@link #leave} must follow. */
  long enter() {
    return enterShell().address;
  }

  /** The same, with all that belongs to the handle. */
  Shell enterShell() {
    lock();
    Shell open = shell;
    if (open == null) {
      leave();
      throw closed();
    }
    return open;
  }

  static SopException closed() {
    return Status.CLOSED.exception("the transaction is closed");
  }

  void leave() {
    BUSY.setRelease(this, 0);
  }

  private void lock() {
    if (!tryLock()) {
      throw Status.MISUSE.exception(
          "another call is running in this transaction: one thread uses it at a time");
    }
  }

  /** Begins a call that may come after the end. */
  boolean tryLock() {
    return BUSY.compareAndSet(this, 0, 1);
  }

  /** Whether calls can be made. */
  boolean isOpen() {
    return shell != null;
  }

  /* ---- stores ---- */

  /**
   * A store as a sorted map, alive and writing through.
   *
   * @param store the declaration
   * @param <K> the class of the keys
   * @param <V> the class of the values
   * @return the map, which ends with the transaction
   */
  public <K, V> StoreMap<K, V> map(Store<K, V> store) {
    return new StoreMap<>(items(store), Range.all(), false);
  }

  /**
   * A store with all that it can do; the only way to the items of one with duplicates.
   *
   * @param store the declaration
   * @param <K> the class of the keys
   * @param <V> the class of the values
   * @return the items, which end with the transaction
   */
  @SuppressWarnings("unchecked")
  public <K, V> Items<K, V> items(Store<K, V> store) {
    Items<?, ?> known = first;
    if (known == null) {
      known = new Items<>(this, store, db.declared(store), new long[1]);
      first = known;
      return (Items<K, V>) known;
    }
    return (Items<K, V>) (known.store() == store ? known : other(store));
  }

  private Items<?, ?> other(Store<?, ?> store) {
    Map<Store<?, ?>, Items<?, ?>> map = others;
    if (map == null) {
      map = new ConcurrentHashMap<>();
      map.put(first.store(), first);
      others = map;
    }
    Items<?, ?> known = map.get(store);
    if (known == null) {
      long[] changes =
          map.values().stream()
              .filter(i -> i.store().name().equals(store.name()))
              .map(Items::changes)
              .findAny()
              .orElse(new long[1]);
      known = new Items<>(this, store, db.declared(store), changes);
      map.put(store, known);
    }
    return known;
  }

  /** A number that grows with whatever may have changed any store. */
  long epoch() {
    return epoch;
  }

  /**
   * Creates a store as declared. The first write does that too.
   *
   * @param store the declaration
   * @throws ExistsException if a store of that name is there
   */
  public void create(Store<?, ?> store) {
    Declared declared = db.declared(store);
    long handle = enter();
    try {
      Raw.sop_store_create(handle, declared.address());
    } finally {
      leave();
    }
  }

  /**
   * Drops a store with all its items.
   *
   * @param store the declaration
   * @throws NotFoundException if there is none
   */
  public void drop(Store<?, ?> store) {
    Declared declared = db.declared(store);
    long handle = enter();
    try {
      epoch++;
      Raw.sop_store_drop(handle, declared.address());
    } finally {
      leave();
    }
  }

  /**
   * Renames a store; the declaration keeps its old name.
   *
   * @param store the declaration
   * @param name the new name
   * @throws NotFoundException if there is none
   * @throws ExistsException if the new name is taken
   */
  public void rename(Store<?, ?> store, String name) {
    Declared declared = db.declared(store);
    byte[] to = Text.utf8(name);
    long handle = enter();
    try {
      epoch++;
      Raw.sop_store_rename(handle, declared.address(), to);
    } finally {
      leave();
    }
  }

  /**
   * The names of all stores.
   *
   * @return in the order of their bytes
   */
  public List<String> stores() {
    byte[] names;
    long handle = enter();
    try {
      names = Raw.sop_store_list(handle);
    } finally {
      leave();
    }
    List<String> list = new ArrayList<>();
    for (int at = 0, start = 0; at < names.length; at++) {
      if (names[at] == 0) {
        list.add(new String(names, start, at - start, UTF_8));
        start = at + 1;
      }
    }
    return list;
  }

  /**
   * How a store is kept, whatever its declaration expects of its keys.
   *
   * @param name of the store
   * @return what is known
   * @throws NotFoundException if there is none
   */
  public StoreInfo describe(String name) {
    Declared declared = db.declaredAsIs(name); // not kept: there is no end of names
    try {
      return describe(declared);
    } finally {
      declared.free();
    }
  }

  /**
   * How a store is kept.
   *
   * @param store the declaration, which must agree with it
   * @return what is known
   * @throws NotFoundException if there is none
   */
  public StoreInfo describe(Store<?, ?> store) {
    return describe(db.declared(store));
  }

  private StoreInfo describe(Declared declared) {
    byte[][] schema = new byte[1][];
    long handle = enter();
    try {
      byte[] image = Raw.sop_store_describe(handle, declared.address(), schema);
      return StoreInfo.of(image, new String(schema[0], UTF_8));
    } finally {
      leave();
    }
  }

  /* ---- the end ---- */

  /**
   * Commits: all changes become visible and durable at once, or none does. Committing again does
   * nothing.
   *
   * @throws ConflictException if another transaction changed what this one read: it is rolled back,
   *     {@link #again} begins anew
   * @throws CommitUnknownException if it is not known whether it has committed: see {@link
   *     SopException#mayHaveCommitted}
   */
  public void commit() {
    long handle = enter();
    try {
      Raw.sop_commit(handle);
      ended = true;
    } catch (ConflictException e) {
      throw e.over(conflictOf(handle));
    } finally {
      leave();
    }
  }

  /**
   * Rolls back: none of its changes happens. Also after it has ended in another way than by a
   * commit.
   */
  public void rollback() {
    long handle = enter();
    try {
      Raw.sop_rollback(handle);
      ended = true;
    } finally {
      leave();
    }
  }

  /** Rolls back what was not committed, and gives the handle back. Closing again does nothing. */
  @Override
  public void close() {
    if (!tryLock()) {
      closeBusy();
      return;
    }
    Shell closing;
    synchronized (this) { // cancel may be looking at it
      closing = shell;
      shell = null;
    }
    leave();
    if (closing == null) {
      return;
    }
    closing.inUse(false);
    try {
      if (!ended) {
        Raw.sop_rollback(closing.address);
      }
    } catch (MisuseException e) {
      // it has committed
    } catch (ClosedException e) {
      closing.free();
      return;
    }
    if (pool == null) {
      closing.free();
    } else {
      pool.give(closing);
    }
  }

  /**
   * Another thread is in a call: it ends with CANCELLED, and the handle is freed when nobody has it
   * any more.
   */
  private void closeBusy() {
    synchronized (this) {
      Shell closing = shell;
      if (closing != null) {
        closing.inUse(false);
        Raw.sop_txn_cancel(closing.address);
        Raw.sop_rollback(closing.address);
        java.lang.ref.Reference.reachabilityFence(closing);
      }
    }
  }

  /**
   * Begins anew after a conflict, waiting a moment first. Retries end with the deadline, and after
   * {@link TxOptions#retryFor}.
   *
   * @throws SopTimeoutException if that time is over
   * @throws MisuseException if nothing failed
   */
  public void again() {
    requireTimeLeft();
    long handle = enter();
    try {
      epoch++;
      Raw.sop_txn_again(handle);
      ended = false;
    } finally {
      leave();
    }
  }

  private void requireTimeLeft() {
    Duration running = Duration.ofNanos(System.nanoTime() - startedNs);
    if (options.mode().writes() && db.isPastRetries(options, running)) {
      throw Status.TIMEOUT.exception(
          "the transaction conflicts, and is not run again after "
              + running.toMillis()
              + " ms: options have a longer retryFor");
    }
  }

  /** Whether it has been committed or rolled back. */
  boolean hasEnded() {
    return ended;
  }

  /**
   * Asks it to end: its running and later calls throw {@link CancelledException}. Any thread may do
   * that at any time.
   */
  public void cancel() {
    synchronized (this) {
      Shell open = shell;
      if (open == null) {
        throw closed();
      }
      Raw.sop_txn_cancel(open.address);
      java.lang.ref.Reference.reachabilityFence(open);
    }
  }

  /* ---- savepoints ---- */

  /**
   * Marks a place in the changes to which {@link #rollbackTo} can return.
   *
   * @return its number
   */
  public long savepoint() {
    long handle = enter();
    try {
      return Raw.sop_savepoint(handle);
    } finally {
      leave();
    }
  }

  /**
   * Undoes the changes since a savepoint, which stays.
   *
   * @param savepoint its number
   */
  public void rollbackTo(long savepoint) {
    long handle = enter();
    try {
      epoch++;
      Raw.sop_rollback_to(handle, savepoint);
    } finally {
      leave();
    }
  }

  /* ---- what it is ---- */

  /**
   * Its id, for {@link Database#outcome}; known before the commit.
   *
   * @return a UUID
   */
  public UUID id() {
    long handle = enter();
    try {
      return Uuids.of(Raw.sop_txn_id(handle), 0);
    } finally {
      leave();
    }
  }

  /**
   * Its position: its own after a commit that changed something, else the one that it reads at.
   *
   * @return unsigned, ascending along the serial order
   */
  public long position() {
    long[] position = new long[1];
    long handle = enter();
    try {
      Raw.sop_txn_position(handle, position);
      return position[0];
    } finally {
      leave();
    }
  }

  /**
   * How often it was begun.
   *
   * @return 1 the first time
   */
  public long attempts() {
    long handle = enter();
    try {
      return Raw.sop_txn_attempts(handle);
    } finally {
      leave();
    }
  }

  /**
   * What it conflicted on last.
   *
   * @return the store and the key, or null if it had no conflict
   */
  public Conflict conflict() {
    long handle = enter();
    try {
      return conflictOf(handle);
    } finally {
      leave();
    }
  }

  private static Conflict conflictOf(long handle) {
    byte[][] store = new byte[1][];
    byte[][] key = new byte[1][];
    int status = Raw.sop_txn_conflict(handle, store, key);
    return status == 0 ? new Conflict(new String(store[0], UTF_8), key[0]) : null;
  }

  /**
   * What it may do.
   *
   * @return as it was begun
   */
  public Mode mode() {
    return options.mode();
  }

  /**
   * Where it works.
   *
   * @return the database
   */
  public Database database() {
    return db;
  }
}
