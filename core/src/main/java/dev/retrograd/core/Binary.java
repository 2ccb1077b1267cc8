package dev.retrograd.core;

/// An elementwise function of two numbers.
public enum Binary {
    ADD, SUB, MUL, DIV,
    /// the larger one
    MAX,
    /// the smaller one
    MIN
}
