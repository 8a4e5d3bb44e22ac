package org.sopdb;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * The field rides along with the key: it is stored with it and never compared, so that scans can
 * look at it without reading values. Such fields follow all others.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface Ride {
  /** Stands for no default of its own: zero or false for a primitive type, null for the others. */
  String NONE = "\0";

  /**
   * What keys hold that were written without the field: the text of a value of its type.
   *
   * @return the text; bytes as hexadecimal digits
   */
  String value() default NONE;
}
