package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.emulator.PtxModule.Address;
import dev.retrograd.cuda.emulator.PtxModule.File;
import dev.retrograd.cuda.emulator.PtxModule.Immediate;
import dev.retrograd.cuda.emulator.PtxModule.Kernel;
import dev.retrograd.cuda.emulator.PtxModule.Not;
import dev.retrograd.cuda.emulator.PtxModule.Operand;
import dev.retrograd.cuda.emulator.PtxModule.Pair;
import dev.retrograd.cuda.emulator.PtxModule.Parameter;
import dev.retrograd.cuda.emulator.PtxModule.Register;
import dev.retrograd.cuda.emulator.PtxModule.Registers;
import dev.retrograd.cuda.emulator.PtxModule.Sink;
import dev.retrograd.cuda.emulator.PtxModule.Special;
import dev.retrograd.cuda.emulator.PtxModule.Statement;
import dev.retrograd.cuda.emulator.PtxModule.Symbol;
import dev.retrograd.cuda.emulator.PtxModule.TensorAddress;
import dev.retrograd.cuda.emulator.PtxModule.Variable;
import dev.retrograd.cuda.emulator.PtxModule.Vector;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads the text of a PTX module as nvcc writes it. Source: NVIDIA's PTX ISA, chapters 4 and 5.
///
/// Read are entries, their registers, variables and instructions; device functions and calls are refused by name.
final class PtxParser {
    private static final Pattern TOKEN = Pattern.compile(
            "(?<skip>\\s+|//[^\\n]*|/\\*(?s:.*?)\\*/)|(?<word>[.%$A-Za-z_](?:[\\w$.]|::)*|0[fFdD][0-9A-Fa-f]{8,16}|0x[0-9A-Fa-f]+U?|\\d+(?:\\.\\d+)?U?)|(?<string>\"[^\"]*\")|(?<mark>.)");
    private static final Set<String> QUALIFIERS = Set.of(".visible", ".extern", ".weak");

    private record Token(String text, int line) {
    }

    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private final Deque<Map<String, Register>> scopes = new ArrayDeque<>();
    private final Map<String, Integer> labels = new HashMap<>();
    private final int[] registers = new int[File.values().length];

    private PtxParser(String text) {
        Matcher m = TOKEN.matcher(text);
        int line = 1;
        while (m.find()) {
            if (m.group("skip") == null) {
                tokens.add(new Token(m.group(), line));
            }
            line += (int) m.group().chars().filter(c -> c == '\n').count();
        }
    }

    /// @throws PtxException naming the line and what is wrong with it
    static PtxModule parse(String text) {
        return new PtxParser(text).module();
    }

    private PtxModule module() {
        String version = "";
        String target = "";
        Map<String, Kernel> kernels = new LinkedHashMap<>();
        List<Variable> variables = new ArrayList<>();
        while (at < tokens.size()) {
            String word = next();
            switch (word) {
                case ".version" -> version = next();
                case ".target" -> target = next();
                case ".address_size" -> expect("64");
                case ".visible", ".extern", ".weak" -> {
                }
                case ".entry" -> {
                    Kernel kernel = kernel();
                    kernels.put(kernel.name(), kernel);
                }
                case ".const", ".global", ".shared" -> variables.addAll(variables(word.substring(1)));
                default -> throw wrong("a kernel or a variable is required, got " + word);
            }
        }
        return new PtxModule(version, target, kernels, variables);
    }

    private Kernel kernel() {
        labels.clear();
        scopes.clear();
        java.util.Arrays.fill(registers, 0);
        String name = next();
        List<Parameter> parameters = new ArrayList<>();
        int bytes = 0;
        expect("(");
        while (!accept(")")) {
            expect(".param");
            int align = accept(".align") ? integer() : 0;
            String type = next();
            if (accept(".ptr")) {
                while (peek().startsWith(".")) {
                    if (next().equals(".align")) {
                        next();
                    }
                }
            }
            int size = PtxTypes.bytes(type.substring(1));
            align = Math.max(align, size);
            String parameter = next();
            if (accept("[")) {
                size *= integer();
                expect("]");
            }
            bytes = Math.ceilDiv(bytes, align) * align;
            parameters.add(new Parameter(parameter, bytes, size));
            bytes += size;
            accept(",");
        }
        while (!peek().equals("{")) {
            next(); // .maxntid and its kin bind the compiler, not the meaning
        }
        List<Statement> body = new ArrayList<>();
        List<Variable> variables = new ArrayList<>();
        expect("{");
        block(body, variables);
        return new Kernel(name, parameters, bytes, body, Map.copyOf(labels), variables,
                new Registers(registers[File.NARROW.ordinal()], registers[File.WIDE.ordinal()], registers[File.PREDICATE.ordinal()]));
    }

    private void block(List<Statement> body, List<Variable> variables) {
        scopes.push(new HashMap<>());
        while (!accept("}")) {
            int line = tokens.get(at).line();
            String word = peek();
            if (word.equals("{")) {
                next();
                block(body, variables);
            } else if (word.equals(".reg")) {
                next();
                declareRegisters();
            } else if (word.equals(".shared") || word.equals(".local") || QUALIFIERS.contains(word)) {
                if (!QUALIFIERS.contains(next())) {
                    variables.addAll(variables(word.substring(1)));
                }
            } else if (word.equals(".pragma") || word.equals(".loc")) {
                while (!next().equals(";")) {
                    continue;
                }
            } else if (tokens.get(at + 1).text().equals(":")) {
                labels.put(next(), body.size());
                next();
            } else {
                body.add(statement(line));
            }
        }
        scopes.pop();
    }

    private void declareRegisters() {
        String type = next().substring(1);
        File file = type.equals("pred") ? File.PREDICATE : PtxTypes.bytes(type) == 8 ? File.WIDE : File.NARROW;
        do {
            String name = next();
            if (accept("<")) {
                int count = integer();
                expect(">");
                for (int i = 0; i < count; i++) {
                    declare(file, name + i);
                }
            } else {
                declare(file, name);
            }
        } while (accept(","));
        expect(";");
    }

    private void declare(File file, String name) {
        scopes.element().put(name, new Register(file, registers[file.ordinal()]++));
    }

    private List<Variable> variables(String space) {
        int align = accept(".align") ? integer() : 1;
        String type = next().substring(1);
        int size = PtxTypes.bytes(type);
        List<Variable> all = new ArrayList<>();
        do {
            String name = next();
            int count = 1;
            while (accept("[")) {
                count *= peek().equals("]") ? 0 : integer();
                expect("]");
            }
            ByteBuffer initial = ByteBuffer.allocate(size * count).order(ByteOrder.LITTLE_ENDIAN);
            if (accept("=")) {
                boolean list = accept("{");
                do {
                    long bits = number();
                    for (int i = 0; i < size; i++) {
                        initial.put((byte) (bits >>> 8 * i));
                    }
                } while (list && accept(","));
                if (list) {
                    expect("}");
                }
            }
            all.add(new Variable(name, space, Math.max(align, size), size * count, initial.array()));
        } while (accept(","));
        expect(";");
        return all;
    }

    private Statement statement(int line) {
        Register guard = null;
        boolean negated = false;
        if (accept("@")) {
            negated = accept("!");
            guard = register(next());
        }
        String opcode = next();
        List<Operand> operands = new ArrayList<>();
        while (!accept(";")) {
            operands.add(operand());
            if (!peek().equals(";")) {
                expect(",");
            }
        }
        return new Statement(line, guard, negated, opcode, operands);
    }

    private Operand operand() {
        if (accept("[")) {
            Operand base = single();
            if (accept(",")) {
                TensorAddress tensor = new TensorAddress(base, (Vector) operand());
                expect("]");
                return tensor;
            }
            long offset = accept("+") ? number() : 0;
            expect("]");
            return new Address(base, offset);
        }
        if (accept("{")) {
            List<Operand> parts = new ArrayList<>();
            do {
                parts.add(single());
            } while (accept(","));
            expect("}");
            return new Vector(parts);
        }
        if (accept("!")) {
            return new Not(register(next()));
        }
        Operand one = single();
        return accept("|") ? new Pair(one, single()) : one;
    }

    private Operand single() {
        String word = peek();
        char first = word.charAt(0);
        if (first == '-' || Character.isDigit(first)) {
            return new Immediate(number());
        }
        next();
        if (word.equals("_")) {
            return new Sink();
        }
        for (Map<String, Register> scope : scopes) {
            if (scope.containsKey(word)) {
                return scope.get(word);
            }
        }
        if (first == '%') {
            return new Special(word);
        }
        return new Symbol(word, peek().equals("+") && !tokens.get(at - 2).text().equals("[") ? plus() : 0);
    }

    private long plus() {
        expect("+");
        return number();
    }

    private Register register(String name) {
        for (Map<String, Register> scope : scopes) {
            if (scope.containsKey(name)) {
                return scope.get(name);
            }
        }
        throw wrong("a declared register is required, got " + name);
    }

    /// An integer, or the bits of `0f…` and `0d…`.
    private long number() {
        boolean negative = accept("-");
        String word = next();
        String digits = word.endsWith("U") ? word.substring(0, word.length() - 1) : word;
        long value;
        if (digits.matches("0[fFdD].*")) {
            value = Long.parseUnsignedLong(digits.substring(2), 16);
        } else if (digits.startsWith("0x")) {
            value = Long.parseUnsignedLong(digits.substring(2), 16);
        } else if (digits.matches("\\d+")) {
            value = Long.parseUnsignedLong(digits);
        } else {
            throw wrong("a number is required, got " + word);
        }
        return negative ? -value : value;
    }

    private int integer() {
        return Math.toIntExact(number());
    }

    private String peek() {
        if (at >= tokens.size()) {
            throw new PtxException("ptx: the text ends too early");
        }
        return tokens.get(at).text();
    }

    private String next() {
        String text = peek();
        at++;
        return text;
    }

    private boolean accept(String text) {
        if (peek().equals(text)) {
            at++;
            return true;
        }
        return false;
    }

    private void expect(String text) {
        String word = next();
        if (!word.equals(text)) {
            throw wrong("'" + text + "' is required, got '" + word + "'");
        }
    }

    private PtxException wrong(String message) {
        return new PtxException("ptx, line " + tokens.get(Math.max(0, at - 1)).line() + ": " + message);
    }
}
