package org.sopdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.common.collect.testing.NavigableMapTestSuiteBuilder;
import com.google.common.collect.testing.SampleElements;
import com.google.common.collect.testing.TestSortedMapGenerator;
import com.google.common.collect.testing.features.CollectionFeature;
import com.google.common.collect.testing.features.CollectionSize;
import com.google.common.collect.testing.features.MapFeature;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Map.Entry;
import java.util.SortedMap;
import junit.framework.AssertionFailedError;
import junit.framework.TestListener;
import junit.framework.TestResult;
import junit.framework.TestSuite;
import org.junit.jupiter.api.Test;

/**
 * Guava's tests of what a {@code java.util.NavigableMap} promises. Left out: null keys and values,
 * which a store has not; failing fast, since iterators here go on after a change; serialization,
 * since a map belongs to a transaction.
 */
class MapConformanceTest {
  private static final int TESTS_AT_LEAST = 30_000;

  @Test
  void passesGuavasTestsOfNavigableMaps() {
    List<String> failed = new ArrayList<>();
    TestResult result = new TestResult();
    result.addListener(new Collecting(failed));
    suite("StoreMap", new Generator()).run(result);
    assertTrue(result.runCount() >= TESTS_AT_LEAST, () -> "there were only " + result.runCount());
    assertEquals(List.of(), failed);
  }

  private record Collecting(List<String> failed) implements TestListener {
    @Override
    public void addError(junit.framework.Test test, Throwable e) {
      failed.add(test + ": " + e);
    }

    @Override
    public void addFailure(junit.framework.Test test, AssertionFailedError e) {
      failed.add(test + ": " + e);
    }

    @Override
    public void endTest(junit.framework.Test test) {}

    @Override
    public void startTest(junit.framework.Test test) {}
  }

  private static TestSuite suite(String name, Generator generator) {
    return NavigableMapTestSuiteBuilder.using(generator)
        .named(name)
        .withTearDown(generator::close)
        .withFeatures(
            CollectionSize.ANY,
            MapFeature.GENERAL_PURPOSE,
            MapFeature.SUPPORTS_PUT,
            MapFeature.SUPPORTS_REMOVE,
            CollectionFeature.SUPPORTS_ITERATOR_REMOVE,
            CollectionFeature.KNOWN_ORDER)
        .createTestSuite();
  }

  /** Makes maps in a database of their own, until a test is over. */
  private static final class Generator implements TestSortedMapGenerator<String, String> {
    private static final Store<String, String> STORE =
        Store.of("map", String.class, Codec.string()).withNodeItems(4);

    private final Database db = Database.open("inmemory:");
    private final List<Transaction> open = new ArrayList<>();

    @Override
    @SuppressWarnings("unchecked")
    public SortedMap<String, String> create(Object... entries) {
      Transaction tx = db.begin();
      open.add(tx);
      tx.create(STORE);
      Map<String, String> given = new LinkedHashMap<>();
      for (Object entry : entries) {
        Entry<String, String> e = (Entry<String, String>) entry;
        given.put(e.getKey(), e.getValue());
      }
      StoreMap<String, String> map = tx.map(STORE);
      map.putAll(given);
      return map;
    }

    void close() {
      open.forEach(Transaction::close);
      open.clear();
    }

    @Override
    public SampleElements<Entry<String, String>> samples() {
      return new SampleElements<>(
          Map.entry("one", "1"),
          Map.entry("two", "2"),
          Map.entry("three", "3"),
          Map.entry("four", "4"),
          Map.entry("five", "5"));
    }

    @Override
    @SuppressWarnings("unchecked")
    public Entry<String, String>[] createArray(int length) {
      return (Entry<String, String>[]) new Entry<?, ?>[length];
    }

    @Override
    public String[] createKeyArray(int length) {
      return new String[length];
    }

    @Override
    public String[] createValueArray(int length) {
      return new String[length];
    }

    @Override
    public Iterable<Entry<String, String>> order(List<Entry<String, String>> entries) {
      entries.sort(Entry.comparingByKey());
      return entries;
    }

    @Override
    public Entry<String, String> belowSamplesLesser() {
      return Map.entry("!! a", "below");
    }

    @Override
    public Entry<String, String> belowSamplesGreater() {
      return Map.entry("!! b", "below");
    }

    @Override
    public Entry<String, String> aboveSamplesLesser() {
      return Map.entry("~~ a", "above");
    }

    @Override
    public Entry<String, String> aboveSamplesGreater() {
      return Map.entry("~~ b", "above");
    }
  }
}
