package dev.retrograd.core.contract;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/// A method that is one case of the contract for each of the sizes where vector code goes wrong: one element, less than a vector, odd tails, whole
/// vectors, several blocks and a tail.
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@interface AtSizes {
    int[] SIZES = {1, 7, 13, 64, 207};
}
