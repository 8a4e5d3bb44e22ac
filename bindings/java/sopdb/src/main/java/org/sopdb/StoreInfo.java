package org.sopdb;

/**
 * How a store is kept.
 *
 * @param id its number, never used again
 * @param duplicates whether equal keys are kept
 * @param schema of its keys as canonical JSON, or "" if they are raw bytes
 * @param nodeItems items in a node as created; 0: by bytes
 */
public record StoreInfo(long id, boolean duplicates, String schema, int nodeItems) {

  static StoreInfo of(byte[] image, String schema) {
    Image in = new Image(image);
    long id = in.number();
    boolean duplicates = in.word() != 0;
    in.word(); // whether there is a schema, which its text says too
    return new StoreInfo(id, duplicates, schema, in.word());
  }
}
