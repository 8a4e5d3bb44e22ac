package org.sopdb;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.ref.Reference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Predicate;

/**
 * An open database: named, sorted stores, any number of which change in one transaction.
 * Thread-safe and long-lived: open it once and share it. Everything else belongs to it; after
 * {@link #close} calls throw {@link ClosedException}.
 */
public final class Database implements AutoCloseable {
  /** What {@link Database#open} takes: {@link Create} and {@link Options}. */
  public interface Option {
    /**
     * Sets itself.
     *
     * @param options what to set it in
     */
    void applyTo(Options options);
  }

  private static final String[] SCHEMES = {"inmemory:", "inredfs:", "inredcfs:"};
  private static final String IN_PLACE = "./";
  private static final int AS_IT_IS = -1;
  private static final int CAUSES_MAX = 100;

  private static final Duration RETRY_FOR = Duration.ofSeconds(30);

  private final Shell shell;
  private final Duration retryFor; // null: not set
  private final Map<String, Declared> stores = new ConcurrentHashMap<>();
  private final Set<Thread> telling = ConcurrentHashMap.newKeySet(); // how far their call is
  private LogPump pump; // null: nobody is told
  private final TxPool writers = new TxPool();
  private final TxPool readers = new TxPool();

  private Database(long address, String what, Duration retryFor) {
    this.retryFor = retryFor;
    shell =
        new Shell(
            address,
            Raw::sop_db_free,
            "the database " + what + " was not closed: use try-with-resources");
    shell.inUse(true);
  }

  /**
   * Opens the database in a folder.
   *
   * @param folder its path, taken as it is; nothing is made unless {@link Create#IF_MISSING} is
   *     among the options
   * @param options {@link Create} and {@link Options}, of which later ones win
   * @return the database
   * @throws NotFoundException if there is none
   * @throws LockedException if another process has it open, or this one with other options
   * @throws CorruptException if it is damaged
   * @throws UnsatisfiedLinkError if the native library is missing or cannot be loaded; its message
   *     says which file and what to do
   */
  public static Database open(Path folder, Option... options) {
    String path = folder.toString();
    for (String scheme : SCHEMES) {
      if (path.startsWith(scheme)) {
        path = IN_PLACE + path;
      }
    }
    return open(path, options);
  }

  /**
   * Opens the database that a URL names: {@code inmemory:}, {@code inredfs:/srv/db?create=true}, or
   * the path of a folder.
   *
   * @param url the URL
   * @param options {@link Create} and {@link Options}, of which later ones win; they win over those
   *     in the URL
   * @return the database
   */
  public static Database open(String url, Option... options) {
    NativeLibrary.load();
    Options all = new Options();
    for (Option option : options) {
      option.applyTo(all);
    }
    byte[] name = Text.of(url);
    long set = all.build();
    try {
      return new Database(Raw.sop_open(name, set), url, all.retryFor());
    } finally {
      Raw.sop_options_free(set);
    }
  }

  /**
   * Waits for the calls that are running, rolls back open transactions, and puts what has committed
   * on stable storage. Closing again does nothing.
   *
   * @throws MisuseException if it is called by a function that a call of this database has called:
   *     it would wait for itself
   */
  @Override
  public void close() {
    if (telling.contains(Thread.currentThread())) {
      throw Status.MISUSE.exception(
          "the database is closed by a function that its own call has called, and would wait for"
              + " itself: return false from the function, and close afterwards");
    }
    shell.inUse(false);
    try {
      Raw.sop_close(shell.address);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /* ---- transactions ---- */

  /**
   * Runs a function in a writing transaction and commits it; after a conflict, again, for 30
   * seconds ({@link Options#retryFor}) or until its deadline.
   *
   * @param function works in the transaction; it may run more than once
   * @param <R> what it returns
   * @param <X> what it may throw; then nothing has happened
   * @return what the function returned
   * @throws X what the function threw
   * @throws CommitUnknownException if it is not known whether it has committed; it is not run again
   */
  public <R, X extends Exception> R update(TxFunction<R, X> function) throws X {
    return update(TxOptions.WRITE, function);
  }

  /**
   * The same with options, of which the deadline and {@link TxOptions#retryFor} bound the retries.
   *
   * @param options of the transaction
   * @param function works in the transaction; it may run more than once
   * @param <R> what it returns
   * @param <X> what it may throw; then nothing has happened
   * @return what the function returned
   * @throws X what the function threw
   */
  public <R, X extends Exception> R update(TxOptions options, TxFunction<R, X> function) throws X {
    Objects.requireNonNull(function, "function");
    try (Transaction tx = begin(options)) {
      while (true) {
        try {
          R result = function.apply(tx);
          if (!tx.hasEnded()) {
            tx.commit();
          }
          return result;
        } catch (Exception e) {
          Database.<X>runAgain(tx, e);
        }
      }
    }
  }

  /**
   * Begins anew if a conflict is why the function or the commit failed, however it was wrapped;
   * else throws {@code failure}, which is unchecked or an X.
   */
  @SuppressWarnings("unchecked")
  private static <X extends Exception> void runAgain(Transaction tx, Exception failure) throws X {
    Throwable cause = failure;
    for (int depth = 0; cause != null && depth < CAUSES_MAX; depth++, cause = cause.getCause()) {
      if (cause instanceof SopException e && e.isAbort()) {
        try {
          tx.again();
          return;
        } catch (MisuseException other) {
          break; // it is a conflict of another transaction
        } catch (SopException last) {
          last.addSuppressed(failure);
          throw last;
        }
      }
    }
    throw (X) failure;
  }

  /** Whether a transaction that has been running so long is not run again. */
  boolean isPastRetries(TxOptions options, Duration running) {
    Duration given = options.retryFor() != null ? options.retryFor() : retryFor;
    if (given != null) {
      return running.compareTo(given) >= 0;
    }
    return running.compareTo(RETRY_FOR) >= 0
        && options.deadline() == null
        && info().deadline().isZero();
  }

  /**
   * Runs a function without a result in a writing transaction, as {@link #update}.
   *
   * @param action works in the transaction; it may run more than once
   * @param <X> what it may throw; then nothing has happened
   * @throws X what the action threw
   */
  public <X extends Exception> void run(TxAction<X> action) throws X {
    run(TxOptions.WRITE, action);
  }

  /**
   * The same with options.
   *
   * @param options of the transaction; of a mode that writes
   * @param action works in the transaction; it may run more than once
   * @param <X> what it may throw; then nothing has happened
   * @throws X what the action threw
   */
  public <X extends Exception> void run(TxOptions options, TxAction<X> action) throws X {
    Objects.requireNonNull(action, "action");
    update(
        options,
        tx -> {
          action.accept(tx);
          return null;
        });
  }

  /**
   * Runs a function in a reading transaction, which sees one state of the database, hinders nobody,
   * and is never in conflict.
   *
   * @param function works in the transaction
   * @param <R> what it returns
   * @param <X> what it may throw
   * @return what the function returned
   * @throws X what the function threw
   */
  public <R, X extends Exception> R view(TxFunction<R, X> function) throws X {
    return view(TxOptions.READ, function);
  }

  /**
   * The same with options.
   *
   * @param options of the transaction; of the mode READ or SNAPSHOT
   * @param function works in the transaction
   * @param <R> what it returns
   * @param <X> what it may throw
   * @return what the function returned
   * @throws X what the function threw
   */
  public <R, X extends Exception> R view(TxOptions options, TxFunction<R, X> function) throws X {
    Objects.requireNonNull(function, "function");
    if (options.mode().writes()) {
      throw Status.MISUSE.exception(
          "view takes the mode READ or SNAPSHOT, not " + options.mode() + ": use update");
    }
    try (Transaction tx = begin(options)) {
      R result = function.apply(tx);
      if (!tx.hasEnded()) {
        tx.commit();
      }
      return result;
    }
  }

  /**
   * Begins a writing transaction to be ended by hand, in a try-with-resources.
   *
   * @return the transaction
   */
  public Transaction begin() {
    return begin(TxOptions.WRITE);
  }

  /**
   * Begins a transaction to be ended by hand, in a try-with-resources.
   *
   * @param options mode, deadline, durability, id
   * @return the transaction
   * @throws ExistsException if the id that was given has committed, or is open
   */
  public Transaction begin(TxOptions options) {
    TxPool pool = options == TxOptions.WRITE ? writers : options == TxOptions.READ ? readers : null;
    Shell txn = pool == null ? null : renewed(pool);
    if (txn == null) {
      try {
        txn =
            new Shell(
                Raw.sop_begin(shell.address, options.numbers()),
                Raw::sop_txn_free,
                "a transaction was neither committed, rolled back nor closed: use"
                    + " try-with-resources");
      } finally {
        Reference.reachabilityFence(this);
      }
    }
    return new Transaction(this, options, txn, pool);
  }

  private static Shell renewed(TxPool pool) {
    Shell txn = pool.take();
    if (txn != null) {
      try {
        Raw.sop_txn_renew(txn.address);
      } catch (RuntimeException e) {
        txn.free();
        throw e;
      }
      Reference.reachabilityFence(txn);
    }
    return txn;
  }

  /**
   * What became of a transaction.
   *
   * @param id of the transaction
   * @return exact for the last million that wrote, also after closing and opening again
   */
  public Outcome outcome(UUID id) {
    long[] position = new long[1];
    try {
      int state = (int) Raw.sop_txn_outcome(shell.address, Uuids.bytes(id), position);
      return new Outcome(Outcome.State.values()[state], position[0]);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /* ---- stores ---- */

  /**
   * Reads a value in a transaction of its own: one call.
   *
   * @param store the declaration
   * @param key the key
   * @param <K> the class of the keys
   * @param <V> the class of the values
   * @return the value, or null if the key is not there
   * @throws NotFoundException if the store is not there
   */
  public <K, V> V get(Store<K, V> store, K key) {
    byte[] name = store.key().encodeSort(key);
    byte[] value;
    try {
      value = Raw.sop_read(shell.address, declared(store).address(), name);
    } finally {
      Reference.reachabilityFence(this);
    }
    return value == null ? null : store.value().decode(value, 0, value.length);
  }

  /**
   * The newest committed number of items: free, and no promise.
   *
   * @param store the declaration
   * @return about how many there are
   */
  public long approxCount(Store<?, ?> store) {
    try {
      return Raw.sop_approx_count(shell.address, declared(store).address());
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Creates a store in a transaction of its own.
   *
   * @param store the declaration
   * @throws ExistsException if a store of that name is there
   */
  public void create(Store<?, ?> store) {
    run(tx -> tx.create(store));
  }

  /**
   * Drops a store with all its items, in a transaction of its own.
   *
   * @param store the declaration
   */
  public void drop(Store<?, ?> store) {
    run(tx -> tx.drop(store));
  }

  /**
   * Renames a store, in a transaction of its own.
   *
   * @param store the declaration
   * @param name the new name
   */
  public void rename(Store<?, ?> store, String name) {
    run(tx -> tx.rename(store, name));
  }

  /**
   * The names of all stores.
   *
   * @return in the order of their bytes
   */
  public List<String> stores() {
    return view(Transaction::stores);
  }

  /**
   * The store as this database knows it, until it is closed; declarations that the library need not
   * tell apart share one, however often they are made.
   */
  Declared declared(Store<?, ?> store) {
    Declared known = stores.get(store.identity());
    return known != null
        ? known
        : stores.computeIfAbsent(
            store.identity(),
            identity ->
                declare(
                    store.name(),
                    store.schema(),
                    store.hasDuplicates() ? 1 : 0,
                    store.nodeItems()));
  }

  /** The store of that name, for what needs no keys; the caller frees it. */
  Declared declaredAsIs(String name) {
    return declare(name, "", AS_IT_IS, 0);
  }

  private Declared declare(String name, String schema, int duplicates, int nodeItems) {
    try {
      return new Declared(
          Raw.java_declare(
              shell.address, Text.utf8(name), Text.utf8(schema), duplicates, nodeItems));
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /* ---- looking after it ---- */

  /**
   * Puts everything that has committed on stable storage, whatever the durability of the commits
   * was.
   */
  public void sync() {
    try {
      Raw.sop_sync(shell.address);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Writes a checkpoint now, so that opening has next to no log to read. It happens by itself, too.
   */
  public void checkpoint() {
    try {
      Raw.sop_checkpoint(shell.address);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** Gives space back to the file system. It happens by itself, too. */
  public void gc() {
    gc(null);
  }

  /**
   * The same, telling how far it is.
   *
   * @param progress told now and then; may be null
   */
  public void gc(Progress progress) {
    telling(
        () -> {
          Raw.sop_gc(shell.address, Callbacks.of(progress));
          return 0;
        });
  }

  /** Runs a call that calls functions of the caller, which must not close the database. */
  private long telling(LongSupplier call) {
    boolean outermost = telling.add(Thread.currentThread());
    try {
      return call.getAsLong();
    } finally {
      if (outermost) {
        telling.remove(Thread.currentThread());
      }
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Copies the database into a folder, as of one position, while others go on. The copy is checked,
   * and a database itself.
   *
   * @param folder missing, its parent there, or empty
   * @return the position that the copy is as of
   */
  public long backup(Path folder) {
    return backup(folder, null);
  }

  /**
   * The same, telling how far it is.
   *
   * @param folder missing, its parent there, or empty
   * @param progress told now and then; may be null
   * @return the position that the copy is as of
   */
  public long backup(Path folder, Progress progress) {
    long[] position = new long[1];
    byte[] path = Text.of(folder.toString());
    return telling(
        () -> {
          Raw.sop_backup(shell.address, path, Callbacks.of(progress), position);
          return position[0];
        });
  }

  /**
   * Makes a database of the copy that {@link #backup} made, and checks it.
   *
   * @param backup the folder of the copy
   * @param folder missing, its parent there, or empty
   */
  public static void restore(Path backup, Path folder) {
    restore(backup, folder, null);
  }

  /**
   * Makes a database of the copy that {@link #backup} made, and checks it.
   *
   * @param backup the folder of the copy
   * @param folder missing, its parent there, or empty
   * @param progress told now and then; may be null
   */
  public static void restore(Path backup, Path folder, Progress progress) {
    NativeLibrary.load();
    Raw.sop_restore(Text.of(backup.toString()), Text.of(folder.toString()), Callbacks.of(progress));
  }

  /**
   * Checks everything, while others go on.
   *
   * @return what was found; nothing is damaged if no {@link Problem#isDamage} is among it
   */
  public List<Problem> verify() {
    List<Problem> problems = new ArrayList<>();
    verify(problems::add, null);
    return problems;
  }

  /**
   * Checks everything.
   *
   * @param found told of each problem; returns whether to go on
   * @param progress told now and then; may be null
   * @return whether nothing is damaged
   * @throws CancelledException if {@code found} or {@code progress} stopped it
   */
  public boolean verify(Predicate<Problem> found, Progress progress) {
    Callbacks told = Callbacks.of(Objects.requireNonNull(found, "found"), progress);
    return telling(() -> Raw.sop_verify(shell.address, told)) == 0;
  }

  /**
   * What it is, and how it was opened.
   *
   * @return as of now
   */
  public Info info() {
    byte[][] path = new byte[1][];
    try {
      byte[] image = Raw.sop_db_info(shell.address, path);
      return Info.of(image, new String(path[0], UTF_8));
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Its figures.
   *
   * @return as of now
   */
  public Stats stats() {
    try {
      return Stats.of(Raw.sop_db_stats(shell.address));
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Its figures as OpenMetrics text.
   *
   * @return as of now
   */
  public String metrics() {
    try {
      return new String(Raw.sop_db_metrics(shell.address), UTF_8);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Looks at the database in a folder from outside, whoever has it open.
   *
   * @param folder of the database
   * @return what is known; {@link Peek#isOpen} is false if nobody has it open or there is none
   */
  public static Peek peek(Path folder) {
    NativeLibrary.load();
    byte[][] image = new byte[1][];
    byte[] stats = Raw.sop_stats_peek(Text.of(folder.toString()), image);
    return Peek.of(image[0], stats);
  }

  /**
   * Sends the messages of the database to a logger from now on, until it is closed. It is silent
   * unless asked. The logger of an earlier call gets no more.
   *
   * @param logger where to; it has its own time, {@link #logTo(Consumer, System.Logger.Level)} has
   *     that of the message
   * @param level the least grave ones to record: ERROR, WARNING, INFO or DEBUG; OFF ends it
   */
  public void logTo(System.Logger logger, System.Logger.Level level) {
    Objects.requireNonNull(logger, "logger");
    logTo(message -> message.logTo(logger), level);
  }

  /**
   * Hands the messages of the database over from now on, until it is closed, one at a time on a
   * thread of its own. Whom an earlier call named gets no more.
   *
   * @param told takes each; an exception goes to the handler of uncaught ones, and the next message
   *     comes all the same
   * @param level the least grave ones to record: ERROR, WARNING, INFO or DEBUG; OFF ends it
   */
  public void logTo(Consumer<LogMessage> told, System.Logger.Level level) {
    Objects.requireNonNull(told, "told");
    Objects.requireNonNull(level, "level");
    synchronized (stores) {
      LogPump earlier = pump;
      pump = LogPump.start(this, told, level);
      if (earlier != null) {
        earlier.stop();
      }
    }
  }

  /** Records messages up to a level of C. */
  void enableLog(int level) {
    try {
      Raw.sop_log_enable(shell.address, level);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** The oldest recorded message, or null. */
  byte[] nextLogMessage() {
    try {
      return Raw.sop_log_next(shell.address, 0);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * The version of the library.
   *
   * @return such as "0.1.0"
   */
  public static String version() {
    NativeLibrary.load();
    return Raw.sop_version();
  }

  /**
   * Whether the library has a feature.
   *
   * @param name such as "inmemory"
   * @return whether it has
   */
  public static boolean hasFeature(String name) {
    NativeLibrary.load();
    return Raw.sop_has_feature(Text.of(name)) != 0;
  }
}
