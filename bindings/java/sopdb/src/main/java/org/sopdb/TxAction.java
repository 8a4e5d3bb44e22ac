package org.sopdb;

/**
 * What {@link Database#run} runs: a {@link TxFunction} without a result.
 *
 * @param <X> what it may throw besides unchecked exceptions; the transaction is then rolled back
 */
@FunctionalInterface
public interface TxAction<X extends Exception> {
  /**
   * Works in a transaction.
   *
   * @param tx the transaction, which belongs to this call
   * @throws X to roll back
   */
  void accept(Transaction tx) throws X;
}
