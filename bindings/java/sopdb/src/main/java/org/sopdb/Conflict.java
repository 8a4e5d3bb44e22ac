package org.sopdb;

/**
 * What two transactions collided on.
 *
 * @param store the name of the store
 * @param key the packed key, or the first key of a range that changed, which {@link
 *     Store#unpackKey} reads; empty if the store itself or its count changed
 */
public record Conflict(String store, byte[] key) {}
