/**
 * SOP: an embedded, transactional, ordered store, in a folder or in memory.
 *
 * <p>{@link org.sopdb.Store} declares a store, {@link org.sopdb.Database} opens a database, {@link
 * org.sopdb.Database#update} and {@link org.sopdb.Database#view} run a function in a {@link
 * org.sopdb.Transaction}, in which a store is a {@link org.sopdb.StoreMap}, a {@code
 * java.util.NavigableMap}, or {@link org.sopdb.Items}, which can do all that a store can. Failures
 * are {@link org.sopdb.SopException}s.
 */
package org.sopdb;
