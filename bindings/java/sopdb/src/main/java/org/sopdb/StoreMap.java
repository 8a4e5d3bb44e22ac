package org.sopdb;

import java.util.AbstractCollection;
import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Collection;
import java.util.Comparator;
import java.util.Iterator;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * A store, or a range of it, as a sorted map: alive, writing through, read in batches. What a
 * {@code java.util.Map} promises costs what it says: {@link #put} returns the old value and
 * therefore reads; {@link #set} does not. {@link #size} counts exactly and conflicts with every
 * insert; {@link #isEmpty} looks at one key.
 *
 * <p>A map has each key once. Of a store with duplicates it shows all items when it is gone over,
 * of which {@code setValue} and {@code remove} of the iterator change the one where it stands, and
 * {@link #size} counts them; a key alone names the oldest item. {@link Items} tells them apart.
 *
 * <p>Iterators meet each key that lives at most once and leave out none that stays, whatever
 * changes meanwhile. Keys and values are never null.
 *
 * @param <K> the class of the keys
 * @param <V> the class of the values
 */
public final class StoreMap<K, V> extends AbstractMap<K, V> implements NavigableMap<K, V> {
  private final Items<K, V> items;
  private final KeyType<K> keys;
  private final Range<K> range;
  private final boolean descending;

  StoreMap(Items<K, V> items, Range<K> range, boolean descending) {
    this.items = items;
    this.keys = items.store().key();
    this.range = range;
    this.descending = descending;
  }

  /* ---- what a map of Java does not have ---- */

  /**
   * Puts a value without looking: two such puts never conflict.
   *
   * @param key the key with its ride-along fields
   * @param value the value
   */
  public void set(K key, V value) {
    items.set(inRange(key), value);
  }

  /**
   * Adds a value if the key is not there.
   *
   * @param key the key with its ride-along fields
   * @param value the value
   * @return whether it was added
   */
  public boolean insert(K key, V value) {
    return items.insert(inRange(key), value);
  }

  /**
   * Many keys in few calls.
   *
   * @param wanted the keys
   * @return those that are there, with their values, in the order in which they were asked for
   */
  public Map<K, V> getMany(Collection<? extends K> wanted) {
    wanted.forEach(this::inRange);
    return items.getMany(wanted);
  }

  /**
   * Puts many values in few calls, without looking.
   *
   * @param entries keys and values
   */
  public void putMany(Iterable<? extends Map.Entry<? extends K, ? extends V>> entries) {
    if (range == Range.<K>all()) {
      items.putMany(entries);
    } else {
      entries.forEach(entry -> set(entry.getKey(), entry.getValue()));
    }
  }

  /**
   * The part whose keys begin with these fields, or with these bytes if keys are raw.
   *
   * @param leading values of the leading fields, in their order
   * @return a map that is this one in that range
   */
  public StoreMap<K, V> prefix(Object... leading) {
    if (range != Range.<K>all()) {
      throw Status.MISUSE.exception(
          "the prefix of a part of a store is not supported: take it of the whole");
    }
    keys.encodePrefix(leading); // says at once what is wrong with them
    return new StoreMap<>(items, Range.prefix(leading), descending);
  }

  /**
   * The part whose keys have these fields, the last of which is a text that the field begins with.
   *
   * @param leading values of the leading fields, in their order; the field of the last one is
   *     ascending
   * @return a map that is this one in that range
   */
  public StoreMap<K, V> startsWith(Object... leading) {
    if (range != Range.<K>all()) {
      throw Status.MISUSE.exception(
          "startsWith of a part of a store is not supported: take it of the whole");
    }
    Range<K> part = Range.startsWith(leading);
    part.encode(keys); // says at once what is wrong with them
    return new StoreMap<>(items, part, descending);
  }

  /**
   * Everything in this range and order, read in batches as it is needed.
   *
   * @return a stream that ends with the transaction
   */
  public Stream<Item<K, V>> stream() {
    return scan(false).stream(Scan::item);
  }

  /**
   * The number of items, exactly.
   *
   * @return what {@link #size} returns, unless that is too large for it
   */
  public long count() {
    return items.count(range);
  }

  /**
   * The store with all that it can do.
   *
   * @return the items, of everything
   */
  public Items<K, V> items() {
    return items;
  }

  /* ---- one key ---- */

  @Override
  public V get(Object key) {
    K wanted = cast(key);
    return isIn(wanted) ? items.get(wanted) : null;
  }

  @Override
  public boolean containsKey(Object key) {
    K wanted = cast(key);
    return isIn(wanted) && items.contains(wanted);
  }

  @Override
  public V put(K key, V value) {
    Objects.requireNonNull(value, "value");
    V old = getOrAbsent(inRange(key));
    items.set(key, value);
    return old;
  }

  /**
   * The value; none also while the store is not there, as the write that follows will create it.
   */
  private V getOrAbsent(K key) {
    try {
      return items.get(key);
    } catch (NotFoundException e) {
      return null;
    }
  }

  @Override
  public V remove(Object key) {
    K unwanted = cast(key);
    V old = isIn(unwanted) ? items.get(unwanted) : null;
    if (old != null) {
      items.remove(unwanted);
    }
    return old;
  }

  @Override
  public V putIfAbsent(K key, V value) {
    return insert(key, value) ? null : items.get(key);
  }

  @Override
  public V computeIfAbsent(K key, Function<? super K, ? extends V> make) {
    Objects.requireNonNull(make);
    V old = getOrAbsent(inRange(key));
    if (old != null) {
      return old;
    }
    V made = make.apply(key);
    if (made != null) {
      items.set(key, made);
    }
    return made;
  }

  @Override
  public V computeIfPresent(K key, BiFunction<? super K, ? super V, ? extends V> make) {
    Objects.requireNonNull(make);
    V old = items.get(inRange(key));
    return old == null ? null : replaceBy(key, old, make.apply(key, old));
  }

  @Override
  public V compute(K key, BiFunction<? super K, ? super V, ? extends V> make) {
    Objects.requireNonNull(make);
    V old = getOrAbsent(inRange(key));
    return replaceBy(key, old, make.apply(key, old));
  }

  @Override
  public V merge(K key, V value, BiFunction<? super V, ? super V, ? extends V> make) {
    Objects.requireNonNull(make);
    Objects.requireNonNull(value);
    V old = getOrAbsent(inRange(key));
    return replaceBy(key, old, old == null ? value : make.apply(old, value));
  }

  private V replaceBy(K key, V old, V value) {
    if (value != null) {
      items.set(key, value);
    } else if (old != null) {
      items.remove(key);
    }
    return value;
  }

  @Override
  public void putAll(Map<? extends K, ? extends V> from) {
    putMany(from.entrySet());
  }

  /* ---- all of them ---- */

  @Override
  public int size() {
    return (int) Math.min(Integer.MAX_VALUE, count());
  }

  @Override
  public boolean isEmpty() {
    return Scan.first(items, range, false, true) == null;
  }

  @Override
  public void clear() {
    items.removeRange(range);
  }

  @Override
  public Comparator<? super K> comparator() {
    Comparator<K> order = items.store().comparator();
    return descending ? order.reversed() : order;
  }

  @Override
  public Set<Entry<K, V>> entrySet() {
    return new Entries();
  }

  @Override
  public NavigableSet<K> navigableKeySet() {
    return new KeySet<>(this);
  }

  @Override
  public Set<K> keySet() {
    return navigableKeySet();
  }

  @Override
  public NavigableSet<K> descendingKeySet() {
    return descendingMap().navigableKeySet();
  }

  @Override
  public Collection<V> values() {
    return new Values();
  }

  /* ---- neighbours ---- */

  @Override
  public Entry<K, V> firstEntry() {
    return Scan.first(items, range, descending, false);
  }

  @Override
  public Entry<K, V> lastEntry() {
    return Scan.first(items, range, !descending, false);
  }

  @Override
  public K firstKey() {
    return keyOf(Scan.first(items, range, descending, true));
  }

  @Override
  public K lastKey() {
    return keyOf(Scan.first(items, range, !descending, true));
  }

  private K keyOf(Item<K, V> item) {
    if (item == null) {
      throw new NoSuchElementException();
    }
    return item.key();
  }

  @Override
  public Entry<K, V> lowerEntry(K key) {
    return neighbour(key, true, false, false);
  }

  @Override
  public K lowerKey(K key) {
    return keyOrNull(neighbour(key, true, false, true));
  }

  @Override
  public Entry<K, V> floorEntry(K key) {
    return neighbour(key, true, true, false);
  }

  @Override
  public K floorKey(K key) {
    return keyOrNull(neighbour(key, true, true, true));
  }

  @Override
  public Entry<K, V> ceilingEntry(K key) {
    return neighbour(key, false, true, false);
  }

  @Override
  public K ceilingKey(K key) {
    return keyOrNull(neighbour(key, false, true, true));
  }

  @Override
  public Entry<K, V> higherEntry(K key) {
    return neighbour(key, false, false, false);
  }

  @Override
  public K higherKey(K key) {
    return keyOrNull(neighbour(key, false, false, true));
  }

  private K keyOrNull(Item<K, V> item) {
    return item == null ? null : item.key();
  }

  /**
   * The nearest item towards the start of this map, or towards its end, at the key or beyond it.
   */
  private Item<K, V> neighbour(K key, boolean towardsStart, boolean inclusive, boolean keysOnly) {
    Objects.requireNonNull(key, "key");
    boolean down = towardsStart != descending;
    Range<K> rest = range;
    if (down && !range.isAbove(keys, key)) {
      rest = inclusive ? range.through(key) : range.to(key);
    } else if (!down && !range.isBelow(keys, key)) {
      rest = inclusive ? range.from(key) : range.after(key);
    }
    return Scan.first(items, rest, down, keysOnly);
  }

  @Override
  public Entry<K, V> pollFirstEntry() {
    return poll(descending);
  }

  @Override
  public Entry<K, V> pollLastEntry() {
    return poll(!descending);
  }

  private Entry<K, V> poll(boolean last) {
    Item<K, V> item = Scan.first(items, range, last, false);
    if (item != null) {
      items.remove(item.key(), item.id());
    }
    return item;
  }

  /* ---- parts ---- */

  @Override
  public StoreMap<K, V> descendingMap() {
    return new StoreMap<>(items, range, !descending);
  }

  @Override
  public StoreMap<K, V> subMap(K from, boolean fromInclusive, K to, boolean toInclusive) {
    if (comparator().compare(from, to) > 0) {
      throw new IllegalArgumentException("the start of the range is behind its end");
    }
    return tailMap(from, fromInclusive).headMap(to, toInclusive);
  }

  @Override
  public StoreMap<K, V> headMap(K to, boolean inclusive) {
    return part(bounded(to, inclusive), inclusive, !descending);
  }

  @Override
  public StoreMap<K, V> tailMap(K from, boolean inclusive) {
    return part(bounded(from, inclusive), inclusive, descending);
  }

  private StoreMap<K, V> part(K bound, boolean inclusive, boolean end) {
    Range<K> rest;
    if (end) {
      rest = inclusive ? range.through(bound) : range.to(bound);
    } else {
      rest = inclusive ? range.from(bound) : range.after(bound);
    }
    return new StoreMap<>(items, rest, descending);
  }

  /** A bound must lie in the range, or be the bound of it that is outside. */
  private K bounded(K bound, boolean inclusive) {
    Objects.requireNonNull(bound, "bound");
    boolean inside = isIn(bound) || !inclusive && range.isBound(keys, bound);
    if (!inside) {
      throw new IllegalArgumentException("the bound is outside the range of this map");
    }
    return bound;
  }

  @Override
  public StoreMap<K, V> subMap(K from, K to) {
    return subMap(from, true, to, false);
  }

  @Override
  public StoreMap<K, V> headMap(K to) {
    return headMap(to, false);
  }

  @Override
  public StoreMap<K, V> tailMap(K from) {
    return tailMap(from, true);
  }

  /* ---- helpers ---- */

  @SuppressWarnings("unchecked")
  private K cast(Object key) {
    return (K) Objects.requireNonNull(key, "key");
  }

  private boolean isIn(K key) {
    return !range.isBelow(keys, key) && !range.isAbove(keys, key);
  }

  private K inRange(K key) {
    Objects.requireNonNull(key, "key");
    if (!isIn(key)) {
      throw new IllegalArgumentException("the key is outside the range of this map");
    }
    return key;
  }

  private Scan<K, V> scan(boolean keysOnly) {
    return Scan.of(items, range, descending, keysOnly, Long.MAX_VALUE);
  }

  /** Looks one item ahead, so that there is something to say about the next. */
  private final class Walk<T> implements Iterator<T> {
    private final Scan<K, V> scan;
    private final Function<Scan<K, V>, T> each;
    private boolean looked; // whether the scan stands on the item that comes next
    private boolean more;
    private K last; // what remove removes
    private long lastId;

    Walk(boolean keysOnly, Function<Scan<K, V>, T> each) {
      this.scan = scan(keysOnly);
      this.each = each;
    }

    @Override
    public boolean hasNext() {
      if (!looked) {
        more = scan.next();
        looked = true;
      }
      return more;
    }

    @Override
    public T next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      looked = false;
      last = scan.key();
      lastId = scan.id();
      return each.apply(scan);
    }

    @Override
    public void remove() {
      if (last == null) {
        throw new IllegalStateException("next was not called, or its item is removed already");
      }
      long stamp = items.stamp();
      items.remove(last, lastId);
      scan.changedHere(stamp);
      last = null;
    }
  }

  private Entry<K, V> live(Scan<K, V> scan) {
    return new Live(scan.key(), scan.value(), scan);
  }

  /** An entry that writes through. */
  private final class Live extends SimpleEntry<K, V> {
    private static final long serialVersionUID = 1L;

    private final transient Scan<K, V> scan;
    private final transient long id;

    Live(K key, V value, Scan<K, V> scan) {
      super(key, value);
      this.scan = scan;
      this.id = scan.id();
    }

    @Override
    public V setValue(V value) {
      long stamp = items.stamp();
      if (!items.store().hasDuplicates()) {
        items.set(getKey(), value);
      } else if (!items.update(getKey(), id, value)) {
        throw new IllegalStateException("the item of the entry is removed");
      }
      scan.changedHere(stamp);
      return super.setValue(value);
    }
  }

  /** Streams do not count first. */
  private static <T> Spliterator<T> unsized(Iterator<T> iterator, int traits) {
    return Spliterators.spliteratorUnknownSize(
        iterator, traits | Spliterator.ORDERED | Spliterator.NONNULL);
  }

  private final class Entries extends AbstractSet<Entry<K, V>> {
    @Override
    public Iterator<Entry<K, V>> iterator() {
      return new Walk<>(false, StoreMap.this::live);
    }

    @Override
    public Spliterator<Entry<K, V>> spliterator() {
      return unsized(iterator(), Spliterator.DISTINCT);
    }

    @Override
    public int size() {
      return StoreMap.this.size();
    }

    @Override
    public boolean isEmpty() {
      return StoreMap.this.isEmpty();
    }

    @Override
    public void clear() {
      StoreMap.this.clear();
    }

    @Override
    public boolean contains(Object entry) {
      return entry instanceof Entry<?, ?> e
          && e.getKey() != null
          && equal(StoreMap.this.get(e.getKey()), e.getValue());
    }

    @Override
    public boolean remove(Object entry) {
      return contains(entry) && StoreMap.this.remove(((Entry<?, ?>) entry).getKey()) != null;
    }

    private boolean equal(Object a, Object b) {
      return a != null && a.equals(b);
    }
  }

  private final class Values extends AbstractCollection<V> {
    @Override
    public Iterator<V> iterator() {
      return new Walk<>(false, Scan::value);
    }

    @Override
    public Spliterator<V> spliterator() {
      return unsized(iterator(), 0);
    }

    @Override
    public int size() {
      return StoreMap.this.size();
    }

    @Override
    public boolean isEmpty() {
      return StoreMap.this.isEmpty();
    }

    @Override
    public void clear() {
      StoreMap.this.clear();
    }
  }

  private static final class KeySet<K, V> extends AbstractSet<K> implements NavigableSet<K> {
    private final StoreMap<K, V> map;

    KeySet(StoreMap<K, V> map) {
      this.map = map;
    }

    @Override
    public Iterator<K> iterator() {
      return map.new Walk<>(true, Scan::key);
    }

    @Override
    public Spliterator<K> spliterator() {
      return unsized(iterator(), Spliterator.DISTINCT);
    }

    @Override
    public Iterator<K> descendingIterator() {
      return descendingSet().iterator();
    }

    @Override
    public int size() {
      return map.size();
    }

    @Override
    public boolean isEmpty() {
      return map.isEmpty();
    }

    @Override
    public void clear() {
      map.clear();
    }

    @Override
    public boolean contains(Object key) {
      return map.containsKey(key);
    }

    @Override
    public boolean remove(Object key) {
      K unwanted = map.cast(key);
      return map.isIn(unwanted) && map.items.remove(unwanted);
    }

    @Override
    public Comparator<? super K> comparator() {
      return map.comparator();
    }

    @Override
    public K first() {
      return map.firstKey();
    }

    @Override
    public K last() {
      return map.lastKey();
    }

    @Override
    public K lower(K key) {
      return map.lowerKey(key);
    }

    @Override
    public K floor(K key) {
      return map.floorKey(key);
    }

    @Override
    public K ceiling(K key) {
      return map.ceilingKey(key);
    }

    @Override
    public K higher(K key) {
      return map.higherKey(key);
    }

    @Override
    public K pollFirst() {
      return map.keyOrNull((Item<K, V>) map.pollFirstEntry());
    }

    @Override
    public K pollLast() {
      return map.keyOrNull((Item<K, V>) map.pollLastEntry());
    }

    @Override
    public NavigableSet<K> descendingSet() {
      return new KeySet<>(map.descendingMap());
    }

    @Override
    public NavigableSet<K> subSet(K from, boolean fromInclusive, K to, boolean toInclusive) {
      return new KeySet<>(map.subMap(from, fromInclusive, to, toInclusive));
    }

    @Override
    public NavigableSet<K> headSet(K to, boolean inclusive) {
      return new KeySet<>(map.headMap(to, inclusive));
    }

    @Override
    public NavigableSet<K> tailSet(K from, boolean inclusive) {
      return new KeySet<>(map.tailMap(from, inclusive));
    }

    @Override
    public NavigableSet<K> subSet(K from, K to) {
      return subSet(from, true, to, false);
    }

    @Override
    public NavigableSet<K> headSet(K to) {
      return headSet(to, false);
    }

    @Override
    public NavigableSet<K> tailSet(K from) {
      return tailSet(from, true);
    }
  }
}
