package org.sopdb;

import java.util.Map;

/**
 * An item of a store, as it was when it was read.
 *
 * @param key with its ride-along fields
 * @param value null if it was not asked for
 * @param version the position that wrote it; 0: this transaction
 * @param id among items with an equal key; 0 in a store without duplicates
 * @param <K> the class of the key
 * @param <V> the class of the value
 */
public record Item<K, V>(K key, V value, long version, long id) implements Map.Entry<K, V> {
  @Override
  public K getKey() {
    return key;
  }

  @Override
  public V getValue() {
    return value;
  }

  @Override
  public V setValue(V newValue) {
    throw new UnsupportedOperationException(
        "an item is as it was when it was read: use Items.update");
  }
}
