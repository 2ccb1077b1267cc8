package dev.retrograd.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.cuda.LaunchArguments;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Single instructions with known answers, at full and at partial masks.
class InstructionTest {
    private final Bench bench = new Bench();

    @AfterEach void close() {
        bench.close();
    }

    /// Runs an instruction on registers of these bits and gives the bits of its result; lanes 0 to 4 alone execute it, the others keep 99.
    private String run(String instruction, boolean wideResult, String... operands) {
        StringBuilder text = new StringBuilder(".visible .entry one(.param .u64 py) {\n.reg .pred %p<3>; .reg .b32 %r<12>; .reg .b16 %h<4>; .reg .b64 %q<12>;\n"
                + "ld.param.u64 %q9, [py]; mov.u32 %r9, %tid.x; mul.wide.u32 %q8, %r9, 8; add.s64 %q9, %q9, %q8; mov.u64 %q0, 99; mov.u32 %r0, 99;\n");
        for (int i = 0; i < operands.length; i++) {
            String bits = Long.toUnsignedString(operands[i].startsWith("-") ? Long.parseLong(operands[i]) : Long.parseUnsignedLong(operands[i].replace("0x", ""), operands[i].startsWith("0x") ? 16 : 10));
            text.append("mov.u64 %q").append(i + 1).append(", ").append(bits).append("; cvt.u32.u64 %r").append(i + 1).append(", %q").append(i + 1)
                    .append("; cvt.u16.u64 %h").append(i + 1).append(", %q").append(i + 1).append(";\n");
        }
        text.append("setp.lt.u32 %p1, %r9, 5; setp.eq.u32 %p2, %r9, 0;\n@%p1 ").append(instruction).append(";\n")
                .append(wideResult ? "" : "cvt.u64.u32 %q0, %r0;\n").append("st.global.u64 [%q9], %q0;\nret;\n}\n");
        long y = bench.room(256);
        bench.launch(bench.kernel("one", text.toString()), 1, 32, new LaunchArguments().i64(y));
        int[] words = bench.ints(y, 64);
        assertEquals(99, words[10], "a lane that the guard masks off keeps its register");
        return wideResult ? "0x" + Long.toHexString((long) words[9] << 32 | words[8] & 0xFFFFFFFFL) : "0x" + Integer.toHexString(words[8]);
    }

    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            add.s32 %r0, %r1, %r2            | 7 | -9 | 0 | 0xfffffffe
            mul.hi.s32 %r0, %r1, %r2         | -1 | 5 | 0 | 0xffffffff
            mul.hi.u32 %r0, %r1, %r2         | -1 | 5 | 0 | 0x4
            mad.lo.s32 %r0, %r1, %r2, %r3    | 3 | -4 | 5 | 0xfffffff9
            div.s32 %r0, %r1, %r2            | -7 | 2 | 0 | 0xfffffffd
            div.u32 %r0, %r1, %r2            | -7 | 2 | 0 | 0x7ffffffc
            rem.s32 %r0, %r1, %r2            | -7 | 2 | 0 | 0xffffffff
            rem.u32 %r0, %r1, 10             | -7 | 2 | 0 | 0x9
            div.u32 %r0, %r1, %r3            | 5 | 0 | 0 | 0xffffffff
            min.s32 %r0, %r1, %r2            | -7 | 2 | 0 | 0xfffffff9
            max.u32 %r0, %r1, %r2            | -7 | 2 | 0 | 0xfffffff9
            shl.b32 %r0, %r1, 32             | 1 | 0 | 0 | 0x0
            shr.s32 %r0, %r1, 40             | -7 | 0 | 0 | 0xffffffff
            shr.u32 %r0, %r1, 4              | -7 | 0 | 0 | 0xfffffff
            shf.l.wrap.b32 %r0, %r1, %r2, 8  | 0x12345678 | 0x9abcdef0 | 0 | 0xbcdef012
            shf.r.wrap.b32 %r0, %r1, %r2, 8  | 0x12345678 | 0x9abcdef0 | 0 | 0xf0123456
            prmt.b32 %r0, %r1, %r2, 0x7531   | 0x33221100 | 0x77665544 | 0 | 0x77553311
            prmt.b32 %r0, %r1, %r2, 0x8888   | 0x00000080 | 0 | 0 | 0xffffffff
            bfi.b32 %r0, %r1, %r2, 4, 8      | 0xfab | 0x12345678 | 0 | 0x12345ab8
            bfi.b32 %r0, %r1, %r2, 6, 26     | 1 | 0xffffffff | 0 | 0x7f
            bfe.u32 %r0, %r1, 4, 8           | 0x12345678 | 0 | 0 | 0x67
            bfi.b32 %r0, %r1, %r2, 4, 8      | 0xabcd | 0x12345678 | 0 | 0x12345cd8
            bfi.b32 %r0, %r1, %r2, 28, 40    | 0xabcd | 0x12345678 | 0 | 0xd2345678
            bfi.b32 %r0, %r1, %r2, 32, 4     | 0xabcd | 0x12345678 | 0 | 0x12345678
            popc.b32 %r0, %r1                | 0xff00f | 0 | 0 | 0xc
            clz.b32 %r0, %r1                 | 0xff00f | 0 | 0 | 0xc
            not.b32 %r0, %r1                 | 0 | 0 | 0 | 0xffffffff
            abs.s32 %r0, %r1                 | -5 | 0 | 0 | 0x5
            mul.lo.s16 %r0, %h1, %h2         | -3 | 7 | 0 | 0xffffffeb
            shr.u16 %r0, %h1, 4              | 0xfffff | 0 | 0 | 0xfff
            shr.s16 %r0, %h1, 4              | 0xf0000 | 0 | 0 | 0x0
            mul.wide.s16 %r0, %h1, %h2       | -300 | 300 | 0 | 0xfffea070
            selp.b32 %r0, %r1, %r2, %p2      | 1 | 2 | 0 | 0x2
            mov.b32 %r0, {%h1, %h2}          | 0x1234 | 0x5678 | 0 | 0x56781234
            cvt.s32.s8 %r0, %r1              | 0xff80 | 0 | 0 | 0xffffff80
            cvt.u32.u16 %r0, %h1             | 0xfff80 | 0 | 0 | 0xff80
            """)
    void integersOf32Bits(String instruction, String a, String b, String c, String expected) {
        assertEquals(expected, run(instruction, false, a, b, c));
    }

    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            mul.wide.s32 %q0, %r1, %r2       | -3 | 5 | 0 | 0xfffffffffffffff1
            mul.wide.u32 %q0, %r1, %r2       | -3 | 5 | 0 | 0x4fffffff1
            mad.wide.s32 %q0, %r1, %r2, %q3  | -3 | 5 | 20 | 0x5
            mul.hi.u64 %q0, %q1, %q2         | -1 | 16 | 0 | 0xf
            mul.hi.s64 %q0, %q1, %q2         | -1 | 16 | 0 | 0xffffffffffffffff
            bfi.b64 %q0, %q1, %q2, 32, 32    | 0x9abcdef0 | 0x1122334455667788 | 0 | 0x9abcdef055667788
            div.u64 %q0, %q1, %q2            | -2 | 2 | 0 | 0x7fffffffffffffff
            rem.s64 %q0, %q1, %q2            | -7 | 4 | 0 | 0xfffffffffffffffd
            shl.b64 %q0, %q1, 63             | 3 | 0 | 0 | 0x8000000000000000
            shr.s64 %q0, %q1, 4              | -16 | 0 | 0 | 0xffffffffffffffff
            min.u64 %q0, %q1, %q2            | -1 | 4 | 0 | 0x4
            cvt.s64.s32 %q0, %r1             | -5 | 0 | 0 | 0xfffffffffffffffb
            cvt.u64.u32 %q0, %r1             | -5 | 0 | 0 | 0xfffffffb
            mov.b64 %q0, {%r1, %r2}          | 1 | 2 | 0 | 0x200000001
            bfi.b64 %q0, %q1, %q2, 36, 8     | 0xabcd | 0x123456789abcdef0 | 0 | 0x12345cd89abcdef0
            bfi.b64 %q0, %q1, %q2, 60, 99    | 0xabcd | 0x123456789abcdef0 | 0 | 0xd23456789abcdef0
            selp.b64 %q0, %q1, %q2, %p1      | 1 | 2 | 0 | 0x1
            fma.rn.f64 %q0, %q1, %q2, %q3    | 0x4008000000000000 | 0x4010000000000000 | 0x3ff0000000000000 | 0x402a000000000000
            cvt.f64.f32 %q0, %r1             | 0x3fc00000 | 0 | 0 | 0x3ff8000000000000
            cvt.rn.f64.s64 %q0, %q1          | -3 | 0 | 0 | 0xc008000000000000
            cvt.rzi.s64.f64 %q0, %q1         | 0xc008cccccccccccd | 0 | 0 | 0xfffffffffffffffd
            cvt.rzi.s64.f64 %q0, %q1         | 0x7ff8000000000000 | 0 | 0 | 0x0
            """)
    void integersAndFloatsOf64Bits(String instruction, String a, String b, String c, String expected) {
        assertEquals(expected, run(instruction, true, a, b, c));
    }

    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            add.f32 %r0, %r1, %r2            | 0x3f800000 | 0x33800000 | 0 | 0x3f800000
            fma.rn.f32 %r0, %r1, %r2, %r3    | 0x3f800001 | 0x3f800001 | 0xbf800002 | 0x28800000
            fma.rm.f32 %r0, %r1, %r2, %r3    | 0x3f800000 | 0x3f800000 | 0x33800000 | 0x3f800000
            fma.rm.f32 %r0, %r1, %r2, %r3    | 0x3f800000 | 0x3f800000 | 0xb3000000 | 0x3f7fffff
            div.rn.f32 %r0, %r1, %r2         | 0x3f800000 | 0x40400000 | 0 | 0x3eaaaaab
            min.f32 %r0, %r1, %r2            | 0x7fc00000 | 0x40400000 | 0 | 0x40400000
            max.f32 %r0, %r1, %r2            | 0xbf800000 | 0x7fc00000 | 0 | 0xbf800000
            max.NaN.f32 %r0, %r1, %r2        | 0xbf800000 | 0x7fc00000 | 0 | 0x7fc00000
            neg.f32 %r0, %r1                 | 0 | 0 | 0 | 0x80000000
            copysign.f32 %r0, %r1, %r2       | 0x80000000 | 0x3f800000 | 0 | 0xbf800000
            sqrt.rn.f32 %r0, %r1             | 0x40800000 | 0 | 0 | 0x40000000
            rsqrt.approx.ftz.f32 %r0, %r1    | 0x40800000 | 0 | 0 | 0x3f000000
            rcp.approx.ftz.f32 %r0, %r1      | 0x40800000 | 0 | 0 | 0x3e800000
            ex2.approx.ftz.f32 %r0, %r1      | 0x40400000 | 0 | 0 | 0x41000000
            ex2.approx.ftz.f32 %r0, %r1      | 0xc3010000 | 0 | 0 | 0x0
            lg2.approx.f32 %r0, %r1          | 0x41000000 | 0 | 0 | 0x40400000
            tanh.approx.f32 %r0, %r1         | 0x42000000 | 0 | 0 | 0x3f800000
            cvt.sat.f32.f32 %r0, %r1         | 0xbf800000 | 0 | 0 | 0x0
            cvt.rni.f32.f32 %r0, %r1         | 0x40200000 | 0 | 0 | 0x40000000
            cvt.rzi.s32.f32 %r0, %r1         | 0xc039999a | 0 | 0 | 0xfffffffe
            cvt.rzi.u32.f32 %r0, %r1         | 0xc039999a | 0 | 0 | 0x0
            cvt.rn.f32.s32 %r0, %r1          | -3 | 0 | 0 | 0xc0400000
            cvt.rn.f32.f64 %r0, %q1          | 0x3ff0000010000001 | 0 | 0 | 0x3f800001
            cvt.rz.f32.f64 %r0, %q1          | 0x3fefffffffffffff | 0 | 0 | 0x3f7fffff
            cvt.rn.f16.f32 %r0, %r1          | 0x3f802000 | 0 | 0 | 0x3c01
            cvt.rn.f16.f32 %r0, %r1          | 0x3f801000 | 0 | 0 | 0x3c00
            cvt.rn.f16.f64 %r0, %q1          | 0x3ff0020000000001 | 0 | 0 | 0x3c01
            cvt.rn.bf16.f32 %r0, %r1         | 0x3f818000 | 0 | 0 | 0x3f82
            cvt.rn.bf16x2.f32 %r0, %r1, %r2  | 0x3f818000 | 0xbf800000 | 0 | 0x3f82bf80
            cvt.rn.f16x2.f32 %r0, %r1, %r2   | 0x3f802000 | 0xbf800000 | 0 | 0x3c01bc00
            cvt.f32.f16 %r0, %h1             | 0x3c01 | 0 | 0 | 0x3f802000
            cvt.rna.tf32.f32 %r0, %r1        | 0x3f801000 | 0 | 0 | 0x3f802000
            cvt.rna.tf32.f32 %r0, %r1        | 0xbf800fff | 0 | 0 | 0xbf800000
            cvt.rna.tf32.f32 %r0, %r1        | 0x7fffffff | 0 | 0 | 0x7fffffff
            """)
    void floatsOf32Bits(String instruction, String a, String b, String c, String expected) {
        assertEquals(expected, run(instruction, false, a, b, c));
    }

    @ParameterizedTest @CsvSource(delimiter = '|', textBlock = """
            lt.s32 %p2, %r1, %r2     | -1 | 1 | 1
            lt.u32 %p2, %r1, %r2     | -1 | 1 | 0
            ge.s64 %p2, %q1, %q2     | -1 | 1 | 0
            hi.u64 %p2, %q1, %q2     | -1 | 1 | x
            lt.s16 %p2, %h1, %h2     | 0x8fff | 1 | 1
            lt.u16 %p2, %h1, %h2     | 0x8fff | 1 | 0
            eq.f32 %p2, %r1, %r2     | 0x7fc00000 | 0x7fc00000 | 0
            ne.f32 %p2, %r1, %r2     | 0x7fc00000 | 0 | 0
            neu.f32 %p2, %r1, %r2    | 0x7fc00000 | 0 | 1
            ltu.f32 %p2, %r1, %r2    | 0x7fc00000 | 0 | 1
            nan.f32 %p2, %r1, %r2    | 0x7fc00000 | 0 | 1
            gt.and.s32 %p2, %r1, %r2, !%p1 | 2 | 1 | 0
            gt.or.s32 %p2, %r1, %r2, %p1   | 1 | 2 | 1
            """)
    void comparisons(String comparison, String a, String b, String expected) {
        String text = "setp." + comparison + "; @!%p1 bra $on; selp.b32 %r0, 1, 0, %p2; $on: mov.pred %p1, %p1";
        if (expected.equals("x")) {
            assertThrows(PtxException.class, () -> run(text, false, a, b));
        } else {
            assertEquals("0x" + expected, run(text, false, a, b));
        }
    }
}
