package dev.retrograd.cuda.emulator;

import java.util.List;
import java.util.Map;

/// One PTX text, parsed: its kernels, and the variables outside them.
///
/// @param version of the PTX language, such as `7.0`
/// @param target architecture, such as `sm_80`
record PtxModule(String version, String target, Map<String, Kernel> kernels, List<Variable> variables) {

    /// A piece of memory with a name.
    ///
    /// @param space `const`, `global`, `shared` or `local`
    /// @param bytes 0 for shared memory whose size the launch gives
    /// @param initial contents, or zeros
    record Variable(String name, String space, int align, int bytes, byte[] initial) {
    }

    /// A kernel's parameter and where it lies in the argument buffer.
    record Parameter(String name, int offset, int bytes) {
    }

    /// @param labels label to index in `body`
    /// @param registers how many of 32 bits or fewer, of 64 bits, and predicates
    record Kernel(String name, List<Parameter> parameters, int parameterBytes, List<Statement> body, Map<String, Integer> labels,
            List<Variable> variables, Registers registers) {
    }

    record Registers(int narrow, int wide, int predicates) {
    }

    /// One instruction as written.
    ///
    /// @param guard predicate register that must be true (false when `negated`), or null
    /// @param opcode name and modifiers, `ld.global.v4.f32`
    record Statement(int line, Register guard, boolean negated, String opcode, List<Operand> operands) {
    }

    sealed interface Operand {
    }

    enum File {
        /// 8 to 32 bits
        NARROW,
        /// 64 bits
        WIDE,
        PREDICATE
    }

    record Register(File file, int index) implements Operand {
    }

    /// `%tid.x` and its kin.
    record Special(String name) implements Operand {
    }

    /// @param bits the integer, or the bits of a float
    record Immediate(long bits) implements Operand {
    }

    /// A label, parameter or variable, and a distance from it.
    record Symbol(String name, long offset) implements Operand {
    }

    /// `[base + offset]`.
    record Address(Operand base, long offset) implements Operand {
    }

    /// `[base, {x, y, …}]`: a tensor map and coordinates in it.
    record TensorAddress(Operand base, Vector coordinates) implements Operand {
    }

    /// `{a, b, …}`.
    record Vector(List<Operand> parts) implements Operand {
    }

    /// `d|p`.
    record Pair(Operand first, Operand second) implements Operand {
    }

    /// `!p`.
    record Not(Register predicate) implements Operand {
    }

    /// `_`, a result that nobody wants.
    record Sink() implements Operand {
    }
}
