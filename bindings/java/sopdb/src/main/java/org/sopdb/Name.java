package org.sopdb;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * The name of the field in the schema, if it is not that of the component in snake_case ({@code
 * empId} is emp_id).
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface Name {
  /**
   * The name.
   *
   * @return as other languages know it
   */
  String value();
}
