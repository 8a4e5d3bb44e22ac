package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Transactions: all or nothing, run again after a conflict, ended by whatever happens. */
class TransactionTest {
  private static final Store<String, Long> COUNTS =
      Store.of("counts", String.class, Codec.counter());

  private final Database db = Database.open("inmemory:");

  @AfterEach
  void close() {
    db.close();
  }

  @Test
  void commitsWhatTheFunctionDidAndReturnsItsResult() {
    long result =
        db.update(
            tx -> {
              tx.map(COUNTS).set("a", 1L);
              return 7L;
            });
    assertEquals(7, result);
    assertEquals(1, db.get(COUNTS, "a"));
  }

  @Test
  void rollsBackWhenTheFunctionThrows() {
    IOException thrown = new IOException("checked ones go through");
    assertSame(
        thrown,
        assertThrows(
            IOException.class,
            () ->
                db.run(
                    tx -> {
                      tx.map(COUNTS).set("a", 1L);
                      throw thrown;
                    })));
    assertEquals(List.of(), db.stores());
    assertEquals(0, db.stats().transactionsOpen());
  }

  @Test
  void rollsBackWhenTheFunctionSaysSo() {
    assertEquals(
        "done",
        db.update(
            tx -> {
              tx.map(COUNTS).set("a", 1L);
              tx.rollback();
              return "done";
            }));
    assertEquals(List.of(), db.stores());
  }

  /** A rival changes what was read, twice; the third attempt goes through. */
  @Test
  void runsAgainAfterAConflict() {
    db.run(tx -> tx.map(COUNTS).set("a", 0L));
    long[] attempts = new long[1];
    long result =
        db.update(
            tx -> {
              attempts[0] = tx.attempts();
              long seen = tx.map(COUNTS).get("a");
              if (attempts[0] < 3) {
                db.run(rival -> rival.map(COUNTS).set("a", seen + 100));
              }
              tx.map(COUNTS).set("a", seen + 1);
              return seen + 1;
            });
    assertEquals(3, attempts[0]);
    assertEquals(201, result);
    assertEquals(201, db.get(COUNTS, "a"));
    assertEquals(2, db.stats().retries());
  }

  /** Counts how often a function runs that always conflicts, until it is not run again. */
  private int runsUntilGivenUp(Database shared, TxOptions options) {
    int[] runs = new int[1];
    shared.run(tx -> tx.map(COUNTS).set("a", 0L));
    SopTimeoutException e =
        assertThrows(
            SopTimeoutException.class,
            () ->
                shared.update(
                    options,
                    tx -> {
                      runs[0]++;
                      long seen = tx.map(COUNTS).get("a");
                      shared.run(rival -> rival.map(COUNTS).set("a", runs[0] + 0L));
                      tx.map(COUNTS).set("a", seen + 1);
                      return null;
                    }));
    assertTrue(e.getSuppressed()[0] instanceof ConflictException, "what it was all about");
    return runs[0];
  }

  /** Gives it more time where the machine is slow. */
  private boolean runsAgainForSomeTime(Database shared) {
    for (int ms = 20; ms < 30_000; ms *= 4) {
      if (runsUntilGivenUp(shared, TxOptions.WRITE.withRetryFor(Duration.ofMillis(ms))) > 1) {
        return true;
      }
    }
    return false;
  }

  @Test
  void isRunAgainAsLongAsTheOptionsSay() {
    TxOptions once = TxOptions.WRITE.withRetryFor(Duration.ZERO);
    assertEquals(1, runsUntilGivenUp(db, once));
    assertEquals(1, runsUntilGivenUp(db, once.withDeadline(Duration.ofHours(1))));
    assertTrue(runsAgainForSomeTime(db));
    try (Database impatient =
        Database.open(
            "inmemory:", new Options().retryFor(Duration.ofHours(1)).retryFor(Duration.ZERO))) {
      assertEquals(1, runsUntilGivenUp(impatient, TxOptions.WRITE));
      assertTrue(runsAgainForSomeTime(impatient), "what the transaction says goes first");
    }
  }

  @Test
  void runsAgainWhenTheConflictComesWrapped() throws IOException {
    db.run(tx -> tx.map(COUNTS).set("a", 0L));
    int[] runs = new int[1];
    db.run(
        tx -> {
          runs[0]++;
          long seen = tx.map(COUNTS).get("a");
          if (runs[0] == 1) {
            db.run(rival -> rival.map(COUNTS).set("a", 5L));
          }
          tx.map(COUNTS).set("a", seen + 1);
          try {
            tx.commit();
          } catch (ConflictException e) {
            throw new IOException("wrapped", e);
          }
        });
    assertEquals(2, runs[0]);
    assertEquals(6, db.get(COUNTS, "a"));
  }

  @Test
  void doesNotRunAgainForTheConflictOfAnother() {
    ConflictException other = (ConflictException) Status.CONFLICT.exception("of somewhere else");
    int[] runs = new int[1];
    assertSame(
        other,
        assertThrows(
            ConflictException.class,
            () ->
                db.run(
                    tx -> {
                      runs[0]++;
                      throw other;
                    })));
    assertEquals(1, runs[0]);
  }

  @Test
  void tellsWhatItConflictedOn() {
    db.run(tx -> tx.map(COUNTS).set("a", 0L));
    try (Transaction tx = db.begin()) {
      tx.map(COUNTS).get("a");
      tx.map(COUNTS).set("b", 1L);
      db.run(rival -> rival.map(COUNTS).set("a", 5L));
      ConflictException e = assertThrows(ConflictException.class, tx::commit);
      assertEquals("counts", e.conflict().store());
      assertEquals("counts", tx.conflict().store());
      assertEquals("a", COUNTS.unpackKey(e.conflict().key()));
      assertTrue(e.isAbort() && e.isRetriable() && !e.isMisuse());
      tx.again();
      assertEquals(5, tx.map(COUNTS).get("a"));
      tx.commit();
      assertTrue(tx.position() > 0);
    }
  }

  @Test
  void deadlinesBoundTheRetries() {
    db.run(tx -> tx.map(COUNTS).set("a", 0L));
    TxOptions shortly = TxOptions.WRITE.withDeadline(Duration.ofMillis(80));
    assertThrows(
        SopTimeoutException.class,
        () ->
            db.update(
                shortly,
                tx -> {
                  long seen = tx.map(COUNTS).get("a");
                  db.run(rival -> rival.map(COUNTS).set("a", seen + 1));
                  tx.map(COUNTS).set("a", seen + 1);
                  return null;
                }));
  }

  @Test
  void readersSeeOneStateAndDoNotWrite() {
    db.run(tx -> tx.map(COUNTS).set("a", 1L));
    db.view(
        tx -> {
          assertEquals(1, tx.map(COUNTS).get("a"));
          db.run(rival -> rival.map(COUNTS).set("a", 2L));
          assertEquals(1, tx.map(COUNTS).get("a"));
          assertThrows(ReadOnlyException.class, () -> tx.map(COUNTS).set("a", 3L));
          assertEquals(Mode.READ, tx.mode());
          return null;
        });
    assertThrows(MisuseException.class, () -> db.view(TxOptions.WRITE, tx -> null));
    long seen = db.view(TxOptions.READ.withMode(Mode.SNAPSHOT), tx -> tx.map(COUNTS).get("a"));
    assertEquals(2, seen);
  }

  @Test
  void savepointsUndoWhatCameAfterThem() {
    db.run(
        tx -> {
          StoreMap<String, Long> map = tx.map(COUNTS);
          map.set("a", 1L);
          long savepoint = tx.savepoint();
          map.set("b", 2L);
          var walk = map.keySet().iterator();
          assertEquals("a", walk.next());
          tx.rollbackTo(savepoint);
          assertFalse(walk.hasNext());
          map.set("c", 3L);
        });
    assertEquals(List.of("a", "c"), db.view(tx -> new ArrayList<>(tx.map(COUNTS).keySet())));
  }

  @Test
  void idsSayWhatBecameOfIt() {
    UUID id = UUID.randomUUID();
    long position;
    try (Transaction tx = db.begin(TxOptions.WRITE.withId(id))) {
      assertEquals(id, tx.id());
      tx.map(COUNTS).set("a", 1L);
      assertEquals(Outcome.State.PENDING, db.outcome(id).state());
      assertThrows(ExistsException.class, () -> db.begin(TxOptions.WRITE.withId(id)));
      tx.commit();
      tx.commit();
      position = tx.position();
    }
    assertEquals(new Outcome(Outcome.State.COMMITTED, position), db.outcome(id));
    assertEquals(new Outcome(Outcome.State.NOT_COMMITTED, 0), db.outcome(UUID.randomUUID()));
  }

  @Test
  void keepsItsIdWhenItRunsAgain() {
    UUID id = UUID.randomUUID();
    db.create(COUNTS);
    long attempts =
        db.update(
            TxOptions.WRITE.withId(id),
            tx -> {
              tx.map(COUNTS).set("b", tx.map(COUNTS).getOrDefault("a", 0L));
              if (tx.attempts() == 1) {
                db.run(other -> other.map(COUNTS).set("a", 1L));
              }
              assertEquals(id, tx.id());
              return tx.attempts();
            });
    assertEquals(2, attempts);
    assertEquals(Outcome.State.COMMITTED, db.outcome(id).state());
    assertEquals(1, db.get(COUNTS, "b"));
    assertThrows(
        ExistsException.class,
        () -> db.run(tx -> db.update(TxOptions.WRITE.withId(id), again -> null)));
  }

  /** No call ends half way, and whoever interrupted is not ignored. */
  @Test
  void anInterruptStaysForWhoLooksForIt() {
    Thread.currentThread().interrupt();
    try {
      db.run(
          tx -> {
            tx.map(COUNTS).put("a", 1L);
            if (tx.attempts() == 1) { // and again, with the pause before it
              db.run(other -> other.map(COUNTS).set("a", 2L));
            }
          });
      assertEquals(1, db.get(COUNTS, "a"));
      assertEquals(List.of(), db.verify());
      db.gc();
    } finally {
      assertTrue(Thread.interrupted());
    }
  }

  @Test
  void answersAfterItsEnd() {
    Transaction tx = db.begin();
    StoreMap<String, Long> map = tx.map(COUNTS);
    map.set("a", 1L);
    tx.commit();
    assertThrows(MisuseException.class, () -> map.set("b", 1L));
    assertThrows(MisuseException.class, tx::rollback);
    tx.close();
    tx.close();
    assertThrows(ClosedException.class, tx::cancel);
    assertThrows(ClosedException.class, () -> map.get("a"));
    assertThrows(ClosedException.class, tx::commit);
    assertThrows(ClosedException.class, tx::id);
    assertThrows(ClosedException.class, () -> map.keySet().iterator().hasNext());
    assertEquals(1, db.get(COUNTS, "a"));
  }

  /**
   * The handle of a transaction that is closed serves the next one, which the old object must not
   * reach.
   */
  @Test
  void aClosedTransactionDoesNotReachTheNextOne() {
    Transaction old = db.begin();
    Items<String, Long> items = old.items(COUNTS);
    items.set("a", 1L);
    old.close();
    try (Transaction next = db.begin()) {
      next.items(COUNTS).set("b", 2L);
      assertThrows(ClosedException.class, () -> items.set("c", 3L));
      assertThrows(ClosedException.class, old::cancel);
      old.close();
      next.commit();
    }
    assertEquals(List.of("b"), db.view(tx -> new ArrayList<>(tx.map(COUNTS).keySet())));
  }

  @Test
  void anotherThreadMayCancelIt() throws Exception {
    ExecutorService pool = Executors.newSingleThreadExecutor();
    try (Transaction tx = db.begin()) {
      tx.map(COUNTS).set("a", 1L);
      pool.submit(tx::cancel).get();
      assertThrows(CancelledException.class, () -> tx.map(COUNTS).get("a"));
      assertThrows(SopException.class, tx::commit);
    } finally {
      pool.shutdown();
    }
    assertEquals(List.of(), db.stores());
  }

  /** Whatever threads do to one transaction, they get an answer. */
  @Test
  void threadsInOneTransactionGetAnAnswer() throws Exception {
    int threads = 4;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      for (int round = 0; round < 20; round++) {
        Transaction tx = db.begin();
        Items<String, Long> items = tx.items(COUNTS);
        CountDownLatch start = new CountDownLatch(threads);
        List<Future<?>> done = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
          boolean closes = t == 0;
          done.add(
              pool.submit(
                  () -> {
                    start.countDown();
                    start.await();
                    for (int i = 0; i < 50; i++) {
                      try {
                        items.set("k" + i, 1L);
                        items.stream(Range.all()).limit(3).toList();
                      } catch (MisuseException
                          | ClosedException
                          | CancelledException
                          | NotFoundException e) {
                        // each is an answer
                      }
                      if (closes && i == 25) {
                        tx.close();
                      }
                    }
                    return null;
                  }));
        }
        for (Future<?> each : done) {
          each.get();
        }
        tx.close();
      }
    } finally {
      pool.shutdown();
    }
    assertEquals(List.of(), db.stores());
  }

  /** A database is closed under threads that are in the middle of everything. */
  @Test
  void closingUnderOthersCrashesNobody() throws Exception {
    int threads = 3;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      for (int round = 0; round < 15; round++) {
        Database shared = Database.open("inmemory:");
        shared.run(tx -> tx.map(COUNTS).set("k0", 0L));
        CountDownLatch start = new CountDownLatch(threads);
        List<Future<Long>> done = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
          done.add(pool.submit(() -> workUntilClosed(shared, start)));
        }
        start.await();
        Thread.sleep(round);
        shared.close();
        for (Future<Long> each : done) {
          assertTrue(each.get() >= 0);
        }
      }
    } finally {
      pool.shutdown();
    }
  }

  private static long workUntilClosed(Database shared, CountDownLatch start) {
    start.countDown();
    for (long i = 0; ; i++) {
      long number = i;
      try {
        shared.run(
            tx -> {
              Items<String, Long> items = tx.items(COUNTS);
              items.set("k" + number % 50, number);
              items.stream(Range.all()).forEach(item -> items.contains(item.key()));
              try (Cursor<String, Long> cursor = items.cursor()) {
                while (cursor.next() != null) {
                  cursor.update(number);
                }
              }
            });
        shared.view(tx -> tx.map(COUNTS).getMany(List.of("k1", "k2")).size());
        shared.get(COUNTS, "k0");
      } catch (ClosedException e) {
        return i;
      }
    }
  }

  @Test
  void threadsWithTheirOwnTransactionsAddUp() throws Exception {
    int threads = 4;
    int rounds = 50;
    db.run(tx -> tx.map(COUNTS).set("a", 0L));
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<?>> done = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        done.add(
            pool.submit(
                () -> {
                  for (int i = 0; i < rounds; i++) {
                    db.run(tx -> tx.map(COUNTS).merge("a", 1L, Long::sum));
                    db.run(tx -> tx.items(COUNTS).add("b", 1));
                  }
                }));
      }
      for (Future<?> each : done) {
        each.get();
      }
    } finally {
      pool.shutdown();
    }
    assertEquals(threads * rounds, db.get(COUNTS, "a"));
    assertEquals(threads * rounds, db.get(COUNTS, "b"));
  }

  @Test
  void storesComeAndGo() {
    Store<String, Long> duplicates =
        Store.of("dup", String.class, Codec.counter()).withDuplicates().withNodeItems(8);
    db.create(COUNTS);
    assertThrows(ExistsException.class, () -> db.create(COUNTS));
    db.run(
        tx -> {
          tx.create(duplicates);
          assertEquals(List.of("counts", "dup"), tx.stores());
          StoreInfo info = tx.describe(duplicates);
          assertTrue(info.duplicates());
          assertEquals(8, info.nodeItems());
          assertEquals("{\"v\":1,\"sort\":[{\"n\":\"key\",\"t\":\"str\"}]}", info.schema());
          tx.rename(COUNTS, "other");
          tx.drop(duplicates);
          assertThrows(NotFoundException.class, () -> tx.describe("dup"));
        });
    assertEquals(List.of("other"), db.stores());
    NotFoundException missing = assertThrows(NotFoundException.class, () -> db.get(COUNTS, "a"));
    assertEquals("counts", missing.store());
    assertThrows(
        SchemaException.class,
        () -> db.view(tx -> tx.map(Store.of("other", Long.class, Codec.counter())).size()));
    db.run(tx -> tx.rename(Store.raw("other", Codec.bytes()), "counts"));
    assertNull(db.get(COUNTS, "a"));
    assertThrows(NotFoundException.class, () -> db.drop(Store.raw("none", Codec.bytes())));
    db.drop(COUNTS);
  }

  /**
   * Neither the database nor what belongs to it may crash anything, in whatever order it is
   * collected.
   */
  @Test
  void mayBeCollectedInAnyOrder() throws Exception {
    Logger logger = Logger.getLogger("org.sopdb");
    List<String> told = Collections.synchronizedList(new ArrayList<>());
    Handler handler = new Collecting(told);
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    try {
      loseMany();
      for (int i = 0;
          i < 200 && told.stream().map(m -> m.substring(0, 10)).distinct().count() < 2;
          i++) {
        System.gc();
        Thread.sleep(20);
      }
    } finally {
      logger.setUseParentHandlers(true);
      logger.removeHandler(handler);
    }
    assertTrue(
        told.stream().anyMatch(m -> m.startsWith("the database inmemory: was not closed")),
        told::toString);
    assertTrue(
        told.stream().anyMatch(m -> m.startsWith("a transaction was neither")), told::toString);
    db.run(t -> t.map(COUNTS).set("a", 1L));
    assertEquals(1, db.get(COUNTS, "a"));
  }

  private static final class Collecting extends Handler {
    private final List<String> told;

    Collecting(List<String> told) {
      this.told = told;
    }

    @Override
    public void publish(LogRecord message) {
      told.add(message.getMessage());
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }

  private static void loseMany() throws InterruptedException {
    for (int round = 0; round < 30; round++) {
      Database lost = Database.open("inmemory:");
      Transaction tx = lost.begin();
      tx.items(COUNTS).set("a", 1L);
      Cursor<String, Long> cursor = tx.items(COUNTS).cursor();
      assertNotNull(cursor.next());
      Object kept =
          switch (round % 4) {
            case 0 -> cursor;
            case 1 -> tx;
            case 2 -> lost;
            default -> null;
          };
      if (round % 3 == 0) {
        lost.close();
      }
      lost = null;
      tx = null;
      cursor = null;
      System.gc();
      Thread.sleep(2);
      java.lang.ref.Reference.reachabilityFence(kept);
    }
  }
}
