/**
 * What starts the program under any Java: finds a JDK 25 and runs the real main class on it. Compiled for Java 8, so that an old
 * {@code java} prints a sentence instead of an UnsupportedClassVersionError; nothing outside refers to it, and it refers to nothing.
 */
package dev.retrograd.trainer.cli.launch;
