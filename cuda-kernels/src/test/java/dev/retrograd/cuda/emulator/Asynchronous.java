package dev.retrograd.cuda.emulator;

/// An instruction for which warps must be able to wait for less than the whole block: a program that has one runs with {@link Turns}.
interface Asynchronous {
}
