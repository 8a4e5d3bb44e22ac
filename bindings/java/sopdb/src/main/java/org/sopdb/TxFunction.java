package org.sopdb;

/**
 * What {@link Database#update} and {@link Database#view} run. It may run more than once, so it
 * should change nothing outside the transaction.
 *
 * @param <R> what it returns
 * @param <X> what it may throw besides unchecked exceptions; the transaction is then rolled back
 */
@FunctionalInterface
public interface TxFunction<R, X extends Exception> {
  /**
   * Works in a transaction.
   *
   * @param tx the transaction, which belongs to this call
   * @return anything
   * @throws X to roll back
   */
  R apply(Transaction tx) throws X;
}
