package dev.retrograd.core.cpu;

import static dev.retrograd.core.cpu.Assembler.R10;
import static dev.retrograd.core.cpu.Assembler.R12;
import static dev.retrograd.core.cpu.Assembler.R13;
import static dev.retrograd.core.cpu.Assembler.R8;
import static dev.retrograd.core.cpu.Assembler.R9;
import static dev.retrograd.core.cpu.Assembler.RAX;
import static dev.retrograd.core.cpu.Assembler.RBX;
import static dev.retrograd.core.cpu.Assembler.RCX;
import static dev.retrograd.core.cpu.Assembler.RDX;
import static dev.retrograd.core.cpu.Assembler.RSI;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.cpu.Assembler.At;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/// The expected bytes are those of GNU as 2.40 for the instruction beside them, once per value: `{x}`, `{y}` and `{z}` are a value and the two
/// that follow it in the list, `{rx}` and `{ex}` the 64 and 32 bits of the general register of that number.
class AssemblerTest {
    private static final int[] ANY = {0, 7, 8, 15, 16, 31};
    private static final int[] LOW = {0, 7, 8, 15};
    private static final int[] MASKS = {1, 3, 7};
    private static final int[] FIRST_EIGHT = {0, 3, 7};
    /// General registers; 12 and 13 are encoded in a way of their own as a base.
    private static final int[] GENERAL = {0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    private static final int[] SOME = {0, 3, 7, 8, 12, 13, 15};
    private static final int[] PLACES = {1, 2, 3};
    private static final int[] NUMBERS = {1000, -1000};
    /// An 8-bit offset counts vectors where EVEX encodes it, and bytes elsewhere.
    private static final int[] OFFSETS = {0, 4, 64, 96, 127, 128, -128, -132, 8128, 8192, -8192, 1 << 20};
    private static final int[] FLOAT_OFFSETS = {2, 4, 508, 512, -512, -516};
    private static final int[] QUAD_OFFSETS = {8, 16, 2032, 2048, -2048, -2064};

    private interface Instruction {
        void write(Assembler asm, int x, int y, int z);
    }

    private record Row(String text, int[] values, Instruction instruction, String hex) {}

    private static final List<Row> WIDE = List.of(
            new Row("vpxord %zmm{x},%zmm{x},%zmm{x}", ANY, (asm, x, y, z) -> asm.zero(x), "62f17d48efc0 62f14548efff 62513d48efc0 62510548efff 62a17d40efc0 62010540efff"),
            new Row("vmovups 0x80(%r13),%zmm{x}", ANY, (asm, x, y, z) -> asm.load(x, At.of(R13, 128)), "62d17c48104502 62d17c48107d02 62517c48104502 62517c48107d02 62c17c48104502 62417c48107d02"),
            new Row("vmovups %zmm{x},-0x40(%r12)", ANY, (asm, x, y, z) -> asm.store(x, At.of(R12, -64)), "62d17c48114424ff 62d17c48117c24ff 62517c48114424ff 62517c48117c24ff 62c17c48114424ff 62417c48117c24ff"),
            new Row("vmovups {x}(%rsi),%zmm9", OFFSETS, (asm, x, y, z) -> asm.load(9, At.of(RSI, x)),
                    "62717c48100e 62717c48108e04000000 62717c48104e01 62717c48108e60000000 62717c48108e7f000000 62717c48104e02 62717c48104efe 62717c48108e7cffffff 62717c48104e7f 62717c48108e00200000 62717c48104e80 62717c48108e00001000"),
            new Row("vmovups ({rx}),%zmm17", GENERAL, (asm, x, y, z) -> asm.load(17, At.of(x, 0)),
                    "62e17c481008 62e17c481009 62e17c48100a 62e17c48100b 62e17c48100e 62e17c48100f 62c17c481008 62c17c481009 62c17c48100a 62c17c48100b 62c17c48100c24 62c17c48104d00 62c17c48100e 62c17c48100f"),
            new Row("vmovups 0x40({rx},{ry},4),%zmm1", GENERAL, (asm, x, y, z) -> asm.load(1, new At(x, y, 4, 64)),
                    "62f17c48104c8801 62f17c48104c9101 62f17c48104c9a01 62f17c48104cb301 62f17c48104cbe01 62b17c48104c8701 62917c48104c8801 62917c48104c9101 62917c48104c9a01 62917c48104ca301 62917c48104cac01 62917c48104cb501 62917c48104cbe01 62d17c48104c8701"),
            new Row("vmovups 0x40(%rcx),%zmm31{%k{x}}{z}", MASKS, (asm, x, y, z) -> asm.loadMasked(31, At.of(RCX, 64), x), "62617cc9107901 62617ccb107901 62617ccf107901"),
            new Row("vmovups %zmm15,0x41(%r12){%k{x}}", MASKS, (asm, x, y, z) -> asm.storeMasked(15, At.of(R12, 65), x), "62517c4911bc2441000000 62517c4b11bc2441000000 62517c4f11bc2441000000"),
            new Row("vbroadcastss 4(%r9,%r12,2),%zmm{x}", ANY, (asm, x, y, z) -> asm.broadcast(x, new At(R9, R12, 2, 4)), "62927d4818446101 62927d48187c6101 62127d4818446101 62127d48187c6101 62827d4818446101 62027d48187c6101"),
            new Row("vbroadcastss {x}(%rax),%zmm0", FLOAT_OFFSETS, (asm, x, y, z) -> asm.broadcast(0, At.of(RAX, x)), "62f27d48188002000000 62f27d48184001 62f27d4818407f 62f27d48188000020000 62f27d48184080 62f27d481880fcfdffff"),
            new Row("vinsertf32x4 $2,(%r10,%r13,1),%zmm{x},%zmm{x}", ANY, (asm, x, y, z) -> asm.insertQuad(x, new At(R10, R13, 1, 0), 2),
                    "62937d4818042a02 62934548183c2a02 62133d4818042a02 62130548183c2a02 62837d4018042a02 62030540183c2a02"),
            new Row("vinsertf32x4 $1,{x}(%r8),%zmm8,%zmm8", QUAD_OFFSETS, (asm, x, y, z) -> asm.insertQuad(8, At.of(R8, x), 1),
                    "62533d4818800800000001 62533d4818400101 62533d4818407f01 62533d4818800008000001 62533d4818408001 62533d481880f0f7ffff01"),
            new Row("vinsertf32x4 ${x},(%rax),%zmm3,%zmm3", PLACES, (asm, x, y, z) -> asm.insertQuad(3, At.of(RAX, 0), x), "62f36548181801 62f36548181802 62f36548181803"),
            new Row("vaddps %zmm{z},%zmm{y},%zmm{x}", ANY, (asm, x, y, z) -> asm.add(x, y, z), "62d1444858c0 62d13c4858ff 6231044858c0 62117c4058ff 62e1044058c0 62617c4858ff"),
            new Row("vfmadd231ps %zmm{z},%zmm{y},%zmm{x}", ANY, (asm, x, y, z) -> asm.multiplyAdd(x, y, z), "62d24548b8c0 62d23d48b8ff 62320548b8c0 62127d40b8ff 62e20540b8c0 62627d48b8ff"),
            new Row("vfmadd213ps %zmm{z},%zmm{y},%zmm{x}", ANY, (asm, x, y, z) -> asm.scaleAdd(x, y, z), "62d24548a8c0 62d23d48a8ff 62320548a8c0 62127d40a8ff 62e20540a8c0 62627d48a8ff"),
            new Row("vunpcklps %zmm{z},%zmm{y},%zmm{x}", ANY, (asm, x, y, z) -> asm.interleave(x, y, z, false), "62d1444814c0 62d13c4814ff 6231044814c0 62117c4014ff 62e1044014c0 62617c4814ff"),
            new Row("vunpckhps %zmm{z},%zmm{y},%zmm{x}", ANY, (asm, x, y, z) -> asm.interleave(x, y, z, true), "62d1444815c0 62d13c4815ff 6231044815c0 62117c4015ff 62e1044015c0 62617c4815ff"),
            new Row("vunpcklpd %zmm{z},%zmm{y},%zmm{x}", ANY, (asm, x, y, z) -> asm.interleavePairs(x, y, z, false), "62d1c54814c0 62d1bd4814ff 6231854814c0 6211fd4014ff 62e1854014c0 6261fd4814ff"),
            new Row("vunpckhpd %zmm{z},%zmm{y},%zmm{x}", ANY, (asm, x, y, z) -> asm.interleavePairs(x, y, z, true), "62d1c54815c0 62d1bd4815ff 6231854815c0 6211fd4015ff 62e1854015c0 6261fd4815ff"));

    private static final List<Row> NARROW = List.of(
            new Row("{vex3} vxorps %ymm{x},%ymm{x},%ymm{x}", LOW, (asm, x, y, z) -> asm.zero(x), "c4e17c57c0 c4e14457ff c4413c57c0 c4410457ff"),
            new Row("{vex3} vmovups 0x20(%r13),%ymm{x}", LOW, (asm, x, y, z) -> asm.load(x, At.of(R13, 32)), "c4c17c104520 c4c17c107d20 c4417c104520 c4417c107d20"),
            new Row("{vex3} vmovups %ymm{x},-0x20(%r12)", LOW, (asm, x, y, z) -> asm.store(x, At.of(R12, -32)), "c4c17c114424e0 c4c17c117c24e0 c4417c114424e0 c4417c117c24e0"),
            new Row("{vex3} vmovups {x}(%rsi),%ymm9", OFFSETS, (asm, x, y, z) -> asm.load(9, At.of(RSI, x)),
                    "c4617c100e c4617c104e04 c4617c104e40 c4617c104e60 c4617c104e7f c4617c108e80000000 c4617c104e80 c4617c108e7cffffff c4617c108ec01f0000 c4617c108e00200000 c4617c108e00e0ffff c4617c108e00001000"),
            new Row("{vex3} vmovups ({rx}),%ymm1", GENERAL, (asm, x, y, z) -> asm.load(1, At.of(x, 0)),
                    "c4e17c1008 c4e17c1009 c4e17c100a c4e17c100b c4e17c100e c4e17c100f c4c17c1008 c4c17c1009 c4c17c100a c4c17c100b c4c17c100c24 c4c17c104d00 c4c17c100e c4c17c100f"),
            new Row("{vex3} vmovups 0x20({rx},{ry},2),%ymm1", GENERAL, (asm, x, y, z) -> asm.load(1, new At(x, y, 2, 32)),
                    "c4e17c104c4820 c4e17c104c5120 c4e17c104c5a20 c4e17c104c7320 c4e17c104c7e20 c4a17c104c4720 c4817c104c4820 c4817c104c5120 c4817c104c5a20 c4817c104c6320 c4817c104c6c20 c4817c104c7520 c4817c104c7e20 c4c17c104c4720"),
            new Row("vbroadcastss 4(%r9,%r12,2),%ymm{x}", LOW, (asm, x, y, z) -> asm.broadcast(x, new At(R9, R12, 2, 4)), "c4827d18446104 c4827d187c6104 c4027d18446104 c4027d187c6104"),
            new Row("vinsertf128 $1,16(%r10,%r13,1),%ymm{x},%ymm{x}", LOW, (asm, x, y, z) -> asm.insertQuad(x, new At(R10, R13, 1, 16), 1), "c4837d18442a1001 c48345187c2a1001 c4033d18442a1001 c40305187c2a1001"),
            new Row("{vex3} vaddps %ymm{z},%ymm{y},%ymm{x}", LOW, (asm, x, y, z) -> asm.add(x, y, z), "c4c14458c0 c4c13c58ff c4610458c0 c4617c58ff"),
            new Row("vfmadd231ps %ymm{z},%ymm{y},%ymm{x}", LOW, (asm, x, y, z) -> asm.multiplyAdd(x, y, z), "c4c245b8c0 c4c23db8ff c46205b8c0 c4627db8ff"),
            new Row("vfmadd213ps %ymm{z},%ymm{y},%ymm{x}", LOW, (asm, x, y, z) -> asm.scaleAdd(x, y, z), "c4c245a8c0 c4c23da8ff c46205a8c0 c4627da8ff"),
            new Row("{vex3} vunpcklps %ymm{z},%ymm{y},%ymm{x}", LOW, (asm, x, y, z) -> asm.interleave(x, y, z, false), "c4c14414c0 c4c13c14ff c4610414c0 c4617c14ff"),
            new Row("{vex3} vunpckhps %ymm{z},%ymm{y},%ymm{x}", LOW, (asm, x, y, z) -> asm.interleave(x, y, z, true), "c4c14415c0 c4c13c15ff c4610415c0 c4617c15ff"),
            new Row("{vex3} vunpcklpd %ymm{z},%ymm{y},%ymm{x}", LOW, (asm, x, y, z) -> asm.interleavePairs(x, y, z, false), "c4c14514c0 c4c13d14ff c4610514c0 c4617d14ff"),
            new Row("{vex3} vunpckhpd %ymm{z},%ymm{y},%ymm{x}", LOW, (asm, x, y, z) -> asm.interleavePairs(x, y, z, true), "c4c14515c0 c4c13d15ff c4610515c0 c4617d15ff"));

    private static final List<Row> OF_ANY_WIDTH = List.of(
            new Row("{vex3} vmovups 16(%r9,%r13,1),%xmm{x}", LOW, (asm, x, y, z) -> asm.loadQuad(x, new At(R9, R13, 1, 16)), "c4817810442910 c48178107c2910 c4017810442910 c40178107c2910"),
            new Row("kmovw {ex},%k1", FIRST_EIGHT, (asm, x, y, z) -> asm.mask(1, x), "c5f892c8 c5f892cb c5f892cf"),
            new Row("kmovw %eax,%k{x}", MASKS, (asm, x, y, z) -> asm.mask(x, RAX), "c5f892c8 c5f892d8 c5f892f8"),
            new Row("mov {ry},{rx}", SOME, (asm, x, y, z) -> asm.move(x, y), "4889d8 4889fb 4c89c7 4d89e0 4d89ec 4d89fd 4989c7"),
            new Row("lea 8({ry},{rz},1),{rx}", SOME, (asm, x, y, z) -> asm.address(x, new At(y, z, 1, 8)), "488d443b08 4a8d5c0708 4b8d7c2008 4f8d442c08 4f8d643d08 4d8d6c0708 4c8d7c1808"),
            new Row("lea ({rx},{rx},8),%rdx", SOME, (asm, x, y, z) -> asm.address(RDX, new At(x, x, 8, 0)), "488d14c0 488d14db 488d14ff 4b8d14c0 4b8d14e4 4b8d54ed00 4b8d14ff"),
            new Row("mov ({ry}),{rx}", SOME, (asm, x, y, z) -> asm.load64(x, At.of(y, 0)), "488b03 488b1f 498b38 4d8b0424 4d8b6500 4d8b2f 4c8b38"),
            new Row("mov {x}(%rdx),%r12", OFFSETS, (asm, x, y, z) -> asm.load64(R12, At.of(RDX, x)),
                    "4c8b22 4c8b6204 4c8b6240 4c8b6260 4c8b627f 4c8ba280000000 4c8b6280 4c8ba27cffffff 4c8ba2c01f0000 4c8ba200200000 4c8ba200e0ffff 4c8ba200001000"),
            new Row("{rex} mov 52({ry}),{ex}", SOME, (asm, x, y, z) -> asm.load32(x, At.of(y, 52)), "408b4334 408b5f34 418b7834 458b442434 458b6534 458b6f34 448b7834"),
            new Row("add {ry},{rx}", SOME, (asm, x, y, z) -> asm.addRegister(x, y), "4801d8 4801fb 4c01c7 4d01e0 4d01ec 4d01fd 4901c7"),
            new Row("add 88({ry}),{rx}", SOME, (asm, x, y, z) -> asm.addFrom(x, At.of(y, 88)), "48034358 48035f58 49037858 4d03442458 4d036558 4d036f58 4c037858"),
            new Row("add ${x},%rbx", NUMBERS, (asm, x, y, z) -> asm.addConstant(RBX, x), "4881c3e8030000 4881c318fcffff"),
            new Row("add ${x},%r12", NUMBERS, (asm, x, y, z) -> asm.addConstant(R12, x), "4981c4e8030000 4981c418fcffff"),
            new Row("and ${x},%rcx", NUMBERS, (asm, x, y, z) -> asm.andConstant(RCX, x), "4881e1e8030000 4881e118fcffff"),
            new Row("and ${x},%r10", NUMBERS, (asm, x, y, z) -> asm.andConstant(R10, x), "4981e2e8030000 4981e218fcffff"),
            new Row("shr $3,{rx}", SOME, (asm, x, y, z) -> asm.shiftRight(x, 3), "48c1e803 48c1eb03 48c1ef03 49c1e803 49c1ec03 49c1ed03 49c1ef03"),
            new Row("dec {rx}", SOME, (asm, x, y, z) -> asm.decrement(x), "48ffc8 48ffcb 48ffcf 49ffc8 49ffcc 49ffcd 49ffcf"),
            new Row("test {rx},{rx}", SOME, (asm, x, y, z) -> asm.test(x), "4885c0 4885db 4885ff 4d85c0 4d85e4 4d85ed 4d85ff"),
            new Row("{rex} push {rx}", SOME, (asm, x, y, z) -> asm.push(x), "4050 4053 4057 4150 4154 4155 4157"),
            new Row("{rex} pop {rx}", SOME, (asm, x, y, z) -> asm.pop(x), "4058 405b 405f 4158 415c 415d 415f"),
            new Row("{rex} prefetcht0 64({rx},{ry},4)", SOME, (asm, x, y, z) -> asm.prefetch(new At(x, y, 4, 64)), "400f184c9840 400f184cbb40 420f184c8740 430f184ca040 430f184cac40 430f184cbd40 410f184c8740"),
            new Row("{rex} prefetcht1 ({rx})", SOME, (asm, x, y, z) -> asm.prefetchSecond(At.of(x, 0)), "400f1810 400f1813 400f1817 410f1810 410f181424 410f185500 410f1817"),
            new Row("{rex} prefetchw 4096({rx})", SOME, (asm, x, y, z) -> asm.prefetchWrite(At.of(x, 4096)), "400f0d8800100000 400f0d8b00100000 400f0d8f00100000 410f0d8800100000 410f0d8c2400100000 410f0d8d00100000 410f0d8f00100000"));

    private static String assembled(int bits, Consumer<Assembler> code) {
        Assembler asm = new Assembler(bits);
        code.accept(asm);
        return HexFormat.of().formatHex(asm.code());
    }

    private static void check(int bits, List<Row> rows) {
        for (Row row : rows) {
            String[] expected = row.hex.split(" ");
            int count = row.values.length;
            assertEquals(count, expected.length, row.text);
            for (int i = 0; i < count; i++) {
                int x = row.values[i], y = row.values[(i + 1) % count], z = row.values[(i + 2) % count];
                assertEquals(expected[i], assembled(bits, asm -> row.instruction.write(asm, x, y, z)), row.text + " with " + x + ", " + y + ", " + z);
            }
        }
    }

    @Test void wideInstructionsAreThoseOfGnuAs() {
        check(512, WIDE);
        check(512, OF_ANY_WIDTH);
    }

    @Test void narrowInstructionsAreThoseOfGnuAs() {
        check(256, NARROW);
        check(256, OF_ANY_WIDTH);
    }

    /// `endbr64; 1: dec %rcx; {disp32} jnz 1b; test %rax,%rax; {disp32} jz 2f; add %rax,%rbx; {disp32} jmp 3f; 2: vzeroupper; 3: ret`
    @Test void jumpsEndWhereTheyShould() {
        assertEquals("f30f1efa48ffc90f85f7ffffff4885c00f84080000004801c3e903000000c5f877c3", assembled(512, asm -> {
            asm.entry();
            int again = asm.position();
            asm.decrement(RCX);
            asm.jumpNotZero(again);
            asm.test(RAX);
            int zero = asm.jumpAheadIfZero();
            asm.addRegister(RBX, RAX);
            int end = asm.jumpAhead();
            asm.land(zero);
            asm.zeroUpper();
            asm.land(end);
            asm.leave();
        }));
    }

    @Test void loopsBeginOnACacheLineAndCodeMayBeLong() {
        assertEquals("c3" + "90".repeat(63) + "c3".repeat(10_000), assembled(256, asm -> {
            asm.leave();
            asm.align();
            asm.align();
            for (int i = 0; i < 10_000; i++) {
                asm.leave();
            }
        }));
    }

    @Test void refusesOtherWidths() {
        assertEquals("assembler: vectors must have 512 or 256 bits, got 128",
                assertThrows(IllegalArgumentException.class, () -> new Assembler(128)).getMessage());
    }
}
