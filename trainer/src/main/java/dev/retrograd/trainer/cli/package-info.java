/// The command line: one class per command, the program's start and its end.
package dev.retrograd.trainer.cli;
