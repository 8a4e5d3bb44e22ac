package org.sopdb;

import java.util.Map;
import java.util.Objects;

/**
 * An item of a store, as it was when it was read.
 *
 * @param key with its ride-along fields
 * @param value null if it was not asked for
 * @param version the position that wrote it; 0: this transaction, or only keys were asked for
 * @param id among items with an equal key; 0 in a store without duplicates
 * @param <K> the class of the key
 * @param <V> the class of the value
 */
public record Item<K, V>(K key, V value, long version, long id) implements Map.Entry<K, V> {
  /** As all entries of maps: equal if key and value are. */
  @Override
  public boolean equals(Object other) {
    return other instanceof Map.Entry<?, ?> entry
        && Objects.equals(key, entry.getKey())
        && Objects.equals(value, entry.getValue());
  }

  @Override
  public int hashCode() {
    return Objects.hashCode(key) ^ Objects.hashCode(value);
  }

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
