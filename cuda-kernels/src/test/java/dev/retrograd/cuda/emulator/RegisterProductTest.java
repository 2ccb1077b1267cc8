package dev.retrograd.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.DType;
import dev.retrograd.cuda.LaunchArguments;
import dev.retrograd.cuda.TensorMap;
import dev.retrograd.cuda.TensorMap.Swizzle;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Products of warpgroups whose left operand is in registers, with a right operand that lies columns first, and every mistake with them that the emulator names.
class RegisterProductTest {
    private static final int COLUMNS = 80;
    private static final int SUMS = COLUMNS / 2;

    private final Bench bench = new Bench(EmulatedDriver.hopper(1 << 24));

    @AfterEach void close() {
        bench.close();
    }

    /// y [64,80] = a [64,16] · b [16,80] in bf16: lanes load their part of a; a bulk copy of four axes brings each of both pieces of b, 64 columns and those beyond, of
    /// which but 16 exist.
    private static String product() {
        StringBuilder sums = new StringBuilder();
        StringBuilder stores = new StringBuilder();
        for (int i = 0; i < SUMS; i++) {
            sums.append(i == 0 ? "" : ", ").append("%f").append(i);
        }
        for (int i = 0; i < SUMS; i += 4) {
            stores.append("st.global.v2.f32 [%rd9+").append(i / 4 * 32).append("], {%f").append(i).append(", %f").append(i + 1).append("};\n");
            stores.append("st.global.v2.f32 [%rd9+").append(i / 4 * 32 + 8 * COLUMNS * 4).append("], {%f").append(i + 2).append(", %f").append(i + 3).append("};\n");
        }
        return """
                .visible .entry product(.param .align 64 .b8 pb[128], .param .u64 pa, .param .u64 py)
                {
                  .shared .align 1024 .b8 bs[4096];
                  .shared .align 8 .b64 loaded;
                  .reg .pred %p<4>; .reg .b32 %r<30>; .reg .b64 %rd<20>; .reg .f32 %f<40>;
                  ld.param.u64 %rd1, [py];
                  ld.param.u64 %rd2, [pa];
                  mov.u32 %r1, %tid.x;
                  mov.u32 %r2, bs;
                  mov.u32 %r4, loaded;
                  setp.ne.u32 %p1, %r1, 0;
                  @%p1 bra $ready;
                  mbarrier.init.shared::cta.b64 [%r4], 1;
                  fence.mbarrier_init.release.cluster;
                  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r4], 4096;
                  mov.b64 %rd4, pb;
                  cvta.param.u64 %rd5, %rd4;
                  mov.u32 %r5, 0;
                  mov.u32 %r6, 64;
                  add.u32 %r7, %r2, 2048;
                  cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r2], [%rd5, {%r5, %r5, %r5, %r5}], [%r4];
                  cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r7], [%rd5, {%r6, %r5, %r5, %r5}], [%r4];
                $ready:
                  bar.sync 0;
                $wait:
                  mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r4], 0;
                  @!%p2 bra $wait;
                  and.b32 %r8, %r1, 3;
                  and.b32 %r9, %r1, 31;
                  shr.u32 %r9, %r9, 2;
                  shr.u32 %r10, %r1, 5;
                  mad.lo.u32 %r9, %r10, 16, %r9;
                  shl.b32 %r11, %r9, 5;
                  shl.b32 %r12, %r8, 2;
                  add.u32 %r11, %r11, %r12;
                  cvt.u64.u32 %rd6, %r11;
                  add.s64 %rd6, %rd2, %rd6;
                  ld.global.u32 %r20, [%rd6];
                  ld.global.u32 %r21, [%rd6+256];
                  ld.global.u32 %r22, [%rd6+16];
                  ld.global.u32 %r23, [%rd6+272];
                  shr.u32 %r13, %r2, 4;
                  cvt.u64.u32 %rd7, %r13;
                  or.b64 %rd7, %rd7, 0x4000004000800000;
                  setp.ne.u32 %p3, 0, 0;
                  wgmma.fence.sync.aligned;
                  wgmma.mma_async.sync.aligned.m64n80k16.f32.bf16.bf16 {SUMS}, {%r20, %r21, %r22, %r23}, %rd7, %p3, 1, 1, 1;
                  wgmma.commit_group.sync.aligned;
                  wgmma.wait_group.sync.aligned 0;
                  mul.lo.u32 %r14, %r9, 320;
                  shl.b32 %r15, %r8, 3;
                  add.u32 %r14, %r14, %r15;
                  cvt.u64.u32 %rd8, %r14;
                  add.s64 %rd9, %rd1, %rd8;
                  STORES
                  ret;
                }
                """.replace("SUMS", sums).replace("STORES", stores);
    }

    private static float value(int i, int step) {
        return (i * step % 31 - 15) / 4f;
    }

    private long matrix(int elements, int step) {
        int[] words = new int[elements / 2];
        for (int i = 0; i < words.length; i++) {
            words[i] = DType.floatToBf16(value(2 * i, step)) & 0xFFFF | DType.floatToBf16(value(2 * i + 1, step)) << 16;
        }
        return bench.upload(words);
    }

    private float[] run(String text) {
        long[] map = bench.driver.encode(new TensorMap(DType.BF16, matrix(16 * COLUMNS, 11), new long[] {COLUMNS, 1, 16, 1}, new long[] {160, 160, 2560}, new int[] {64, 1, 16, 1}, Swizzle.BYTES_128));
        long y = bench.room(64 * COLUMNS * Float.BYTES);
        bench.launch(bench.kernel("product", text), 1, 128, new LaunchArguments().tensorMap(map).i64(matrix(64 * 16, 7)).i64(y));
        return bench.floats(y, 64 * COLUMNS);
    }

    @Test void registersTimesColumnsInTwoPiecesOfSharedMemory() {
        float[] y = run(product());
        for (int i = 0; i < y.length; i++) {
            float sum = 0;
            for (int k = 0; k < 16; k++) {
                sum += value(i / COLUMNS * 16 + k, 7) * value(k * COLUMNS + i % COLUMNS, 11);
            }
            assertEquals(sum, y[i], "element " + i);
        }
    }

    private void fault(String expected, String what, String by) {
        String changed = product().replace(what, by);
        assertNotEquals(product(), changed, "the planted bug must change the text");
        String message = assertThrows(KernelFault.class, () -> run(changed)).getMessage();
        assertTrue(message.startsWith("product, line ") && message.contains(expected), message);
    }

    @Test void registersThatAProductStillReadsMustBeLeftAlone() {
        fault("reads is used before a wgmma.wait_group", "wgmma.commit_group.sync.aligned;", "wgmma.commit_group.sync.aligned; mov.u32 %r21, 0;");
        fault("reads is used before a wgmma.wait_group", "wgmma.commit_group.sync.aligned;", "wgmma.commit_group.sync.aligned; add.u32 %r5, %r22, 0;");
    }

    @Test void aFenceMustFollowTheLastUseOfTheRegisters() {
        fault("a wgmma.fence must precede the first wgmma and follow other uses of its registers, such as line ", "wgmma.fence.sync.aligned;", "wgmma.fence.sync.aligned; mov.u32 %r20, 0;");
    }

    @Test void registersOfSumsUnderWayAreNoOperand() {
        fault("sums in is used before a wgmma.wait_group", "wgmma.commit_group.sync.aligned;",
                "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%r24, %r25, %r26, %r27}, {%f0, %f1, %f2, %f3}, %rd7, %p3, 1, 1, 1; wgmma.commit_group.sync.aligned;");
    }

    @Test void otherNumbersOfRegistersAreRefused() {
        String three = product().replace("{%r20, %r21, %r22, %r23}", "{%r20, %r21, %r22}");
        assertTrue(assertThrows(PtxException.class, () -> run(three)).getMessage().contains("unknown instruction wgmma.mma_async"));
    }
}
