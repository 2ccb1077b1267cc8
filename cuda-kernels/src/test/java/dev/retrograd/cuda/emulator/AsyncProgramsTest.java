package dev.retrograd.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.DType;
import dev.retrograd.cuda.LaunchArguments;
import dev.retrograd.cuda.TensorMap;
import dev.retrograd.cuda.TensorMap.Swizzle;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Bulk copies, mbarriers and products of warpgroups, used as kernels use them, and every mistake with them that the emulator names.
class AsyncProgramsTest {
    /// y [64,8] = a [64,16] · b [8,16]ᵀ in bf16: thread 0 has boxes copied, swizzled by 32 bytes; four warps multiply them.
    private static final String PRODUCT = """
            .visible .entry product(.param .align 64 .b8 pa[128], .param .align 64 .b8 pb[128], .param .u64 py)
            {
              .shared .align 1024 .b8 as[2048];
              .shared .align 256 .b8 bs[256];
              .shared .align 8 .b64 loaded;
              .reg .pred %p<4>; .reg .b32 %r<30>; .reg .b64 %rd<20>; .reg .f32 %f<8>;
              ld.param.u64 %rd1, [py];
              mov.u32 %r1, %tid.x;
              mov.u32 %r2, as;
              mov.u32 %r3, bs;
              mov.u32 %r4, loaded;
              setp.ne.u32 %p1, %r1, 0;
              @%p1 bra $ready;
              mbarrier.init.shared::cta.b64 [%r4], 1;
              fence.mbarrier_init.release.cluster;
            $ready:
              bar.sync 0;
              @%p1 bra $wait;
              mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r4], 2304;
              mov.b64 %rd2, pa;
              cvta.param.u64 %rd3, %rd2;
              mov.b64 %rd4, pb;
              cvta.param.u64 %rd5, %rd4;
              mov.u32 %r5, 0;
              cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r2], [%rd3, {%r5, %r5}], [%r4];
              cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r3], [%rd5, {%r5, %r5}], [%r4];
            $wait:
              mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r4], 0;
              @!%p2 bra $wait;
              shr.u32 %r6, %r2, 4;
              cvt.u64.u32 %rd6, %r6;
              or.b64 %rd6, %rd6, 0xC000001000010000;
              shr.u32 %r7, %r3, 4;
              cvt.u64.u32 %rd7, %r7;
              or.b64 %rd7, %rd7, 0xC000001000010000;
              mov.f32 %f1, 0f3F800000;
              mov.f32 %f2, 0f3F800000;
              mov.f32 %f3, 0f3F800000;
              mov.f32 %f4, 0f3F800000;
              setp.eq.u32 %p3, 0, 0;
              wgmma.fence.sync.aligned;
              wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1, %f2, %f3, %f4}, %rd6, %rd7, %p3, 1, 1, 0, 0;
              wgmma.commit_group.sync.aligned;
              wgmma.wait_group.sync.aligned 0;
              and.b32 %r8, %r1, 3;
              and.b32 %r9, %r1, 31;
              shr.u32 %r9, %r9, 2;
              shr.u32 %r10, %r1, 5;
              mad.lo.u32 %r9, %r10, 16, %r9;
              shl.b32 %r11, %r9, 5;
              shl.b32 %r12, %r8, 3;
              add.u32 %r11, %r11, %r12;
              cvt.u64.u32 %rd8, %r11;
              add.s64 %rd9, %rd1, %rd8;
              st.global.v2.f32 [%rd9], {%f1, %f2};
              st.global.v2.f32 [%rd9+256], {%f3, %f4};
              ret;
            }
            """;
    /// Copies one box of 32 bytes × 8 rows to shared memory, and its bytes, a word for each of 64 threads, to y.
    private static final String BOX = """
            .visible .entry box(.param .align 64 .b8 px[128], .param .u64 py, .param .u32 pi, .param .u32 pj)
            {
              .shared .align 1024 .b8 tile[256];
              .shared .align 8 .b64 loaded;
              .reg .pred %p<4>; .reg .b32 %r<30>; .reg .b64 %rd<20>;
              ld.param.u64 %rd1, [py];
              ld.param.u32 %r10, [pi];
              ld.param.u32 %r11, [pj];
              mov.u32 %r1, %tid.x;
              mov.u32 %r2, tile;
              mov.u32 %r4, loaded;
              setp.ne.u32 %p1, %r1, 0;
              @%p1 bra $ready;
              mbarrier.init.shared::cta.b64 [%r4], 1;
              fence.mbarrier_init.release.cluster;
              mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r4], 256;
              mov.b64 %rd2, px;
              cvta.param.u64 %rd3, %rd2;
              cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd3, {%r10, %r11}], [%r4];
            $ready:
              bar.sync 0;
            $wait:
              mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r4], 0;
              @!%p2 bra $wait;
              shl.b32 %r5, %r1, 2;
              add.u32 %r6, %r2, %r5;
              ld.shared.u32 %r7, [%r6];
              cvt.u64.u32 %rd8, %r5;
              add.s64 %rd9, %rd1, %rd8;
              st.global.u32 [%rd9], %r7;
              ret;
            }
            """;

    private final Bench bench = new Bench(EmulatedDriver.hopper(1 << 24));

    @AfterEach void close() {
        bench.close();
    }

    private static float value(int i, int step) {
        return (i * step % 31 - 15) / 4f;
    }

    private long matrix(int rows, int step) {
        int[] words = new int[rows * 8];
        for (int i = 0; i < words.length; i++) {
            words[i] = DType.floatToBf16(value(2 * i, step)) & 0xFFFF | DType.floatToBf16(value(2 * i + 1, step)) << 16;
        }
        return bench.upload(words);
    }

    private long[] map(long address, int rows) {
        return bench.driver.encode(new TensorMap(DType.BF16, address, new long[] {16, rows}, new long[] {32}, new int[] {16, rows}, Swizzle.BYTES_32));
    }

    private long run(String text) {
        long y = bench.room(64 * 8 * Float.BYTES);
        bench.launch(bench.kernel("product", text), 1, 128, new LaunchArguments().tensorMap(map(matrix(64, 7), 64)).tensorMap(map(matrix(8, 11), 8)).i64(y));
        return y;
    }

    @Test void aWarpgroupMultipliesWhatBulkCopiesBrought() {
        float[] y = bench.floats(run(PRODUCT), 64 * 8);
        for (int i = 0; i < y.length; i++) {
            float sum = 1;
            for (int k = 0; k < 16; k++) {
                sum += value(i / 8 * 16 + k, 7) * value(i % 8 * 16 + k, 11);
            }
            assertEquals(sum, y[i], "element " + i);
        }
    }

    /// x [5,12] of 32-bit words, the box at column i and row j.
    private int[] box(Swizzle swizzle, int i, int j) {
        int[] x = new int[60];
        Arrays.setAll(x, n -> n + 1);
        long[] map = bench.driver.encode(new TensorMap(DType.F32, bench.upload(x), new long[] {12, 5}, new long[] {48}, new int[] {8, 8}, swizzle));
        long y = bench.room(256);
        bench.launch(bench.kernel("box", BOX), 1, 64, new LaunchArguments().tensorMap(map).i64(y).i32(i).i32(j));
        return bench.ints(y, 64);
    }

    @ParameterizedTest @EnumSource(Swizzle.class) void aBoxIsPermutedAndZeroOutsideOfItsTensor(Swizzle swizzle) {
        for (int[] corner : new int[][] {{0, 0}, {8, 3}, {-4, -2}, {12, 0}}) {
            int[] expected = new int[64];
            for (int row = 0; row < 8; row++) {
                for (int column = 0; column < 8; column++) {
                    int x = corner[0] + column;
                    int y = corner[1] + row;
                    boolean inside = x >= 0 && x < 12 && y >= 0 && y < 5;
                    expected[(int) swizzle.place(row * 32 + column * 4) / 4] = inside ? y * 12 + x + 1 : 0;
                }
            }
            assertArrayEquals(expected, box(swizzle, corner[0], corner[1]));
        }
    }

    /// x [2,3,5,16] of words, boxes of 8 words × 4 × 2 × 1, of every second element of the middle axes: what a convolution of stride 2 reads of images.
    @Test void aBoxOfFourAxesHasEverySecondElementAndZerosOutsideOfItsTensor() {
        int[] x = new int[2 * 3 * 5 * 16];
        Arrays.setAll(x, n -> n + 1);
        long[] map = bench.driver.encode(new TensorMap(DType.F32, bench.upload(x), new long[] {16, 5, 3, 2}, new long[] {64, 320, 960}, new int[] {8, 4, 2, 1}, new int[] {1, 2, 2, 1},
                Swizzle.BYTES_32));
        String text = BOX.replace("tensor.2d", "tensor.4d").replace("{%r10, %r11}", "{%r10, %r11, %r12, %r13}").replace("mov.u32 %r1, %tid.x;",
                "mov.u32 %r1, %tid.x; ld.param.u32 %r12, [pk]; ld.param.u32 %r13, [pl];").replace(".param .u32 pj", ".param .u32 pj, .param .u32 pk, .param .u32 pl");
        for (int[] corner : new int[][] {{0, 0, 0, 0}, {8, -1, -1, 1}, {-4, -3, 2, 0}, {8, 1, 1, 1}, {0, 0, 0, 2}, {0, 0, 0, -1}}) {
            int[] expected = new int[64];
            for (int i = 0; i < expected.length; i++) {
                int c = corner[0] + i % 8;
                int w = corner[1] + i / 8 % 4 * 2;
                int h = corner[2] + i / 32 * 2;
                boolean inside = c >= 0 && c < 16 && w >= 0 && w < 5 && h >= 0 && h < 3 && corner[3] >= 0 && corner[3] < 2;
                expected[(int) Swizzle.BYTES_32.place(i * 4L) / 4] = inside ? ((corner[3] * 3 + h) * 5 + w) * 16 + c + 1 : 0;
            }
            long y = bench.room(256);
            bench.launch(bench.kernel("box", text), 1, 64, new LaunchArguments().tensorMap(map).i64(y).i32(corner[0]).i32(corner[1]).i32(corner[2]).i32(corner[3]));
            assertArrayEquals(expected, bench.ints(y, 64), Arrays.toString(corner));
        }
        LaunchArguments flat = new LaunchArguments().tensorMap(map(matrix(8, 1), 8)).i64(bench.room(256)).i32(0).i32(0).i32(0).i32(0);
        String message = assertThrows(KernelFault.class, () -> bench.launch(bench.kernel("box", text), 1, 64, flat)).getMessage();
        assertTrue(message.endsWith("a tensor map of 4 axes is required, got one of 2"), message);
    }

    private static String broken(String text, String what, String by) {
        String changed = text.replace(what, by);
        assertNotEquals(text, changed, "the planted bug must change the text");
        return changed;
    }

    private void fault(String expected, String text) {
        String message = assertThrows(KernelFault.class, () -> run(text)).getMessage();
        assertTrue(message.startsWith("product, line ") && message.endsWith(expected), message);
    }

    @Test void readingABufferBeforeItsPhaseIsCompleteIsFound() {
        fault("read of memory that the bulk copy of line 28 may still be writing: 16 bytes at byte 0 of shared memory",
                broken(PRODUCT, "@!%p2 bra $wait;", "").replace("mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r4], 0;", ""));
        fault("read of memory that the bulk copy of line 28 may still be writing: 16 bytes at byte 0 of shared memory", broken(PRODUCT, "%p2, [%r4], 0;", "%p2, [%r4], 1;"));
    }

    @Test void overwritingWhatAProductStillReadsIsFound() {
        fault("byte 0 of shared memory is written while the wgmma of line 45 of warp 0 may still be reading it",
                broken(PRODUCT, "wgmma.commit_group.sync.aligned;", "wgmma.commit_group.sync.aligned; st.shared.u32 [%r2], %r5;"));
        fault("race in shared memory: byte 2048 is read here and was written by thread 0 with nothing between that orders them",
                broken(PRODUCT, "wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 0; @!%p1 st.shared.u32 [%r3], %r5;").replace("@%p1 bra $ready;", "mov.u32 %r5, 0; @%p1 bra $ready;"));
    }

    @Test void usingSumsBeforeTheyAreCompleteIsFound() {
        fault("a register that the wgmma of line 45 sums in is used before a wgmma.wait_group", broken(PRODUCT, "wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 1;"));
        fault("a register that the wgmma of line 45 sums in is used before a wgmma.wait_group", broken(PRODUCT, "wgmma.commit_group.sync.aligned;", ""));
        fault("a wgmma.fence must precede the first wgmma and follow other uses of its registers, such as line 39",
                broken(PRODUCT, "wgmma.fence.sync.aligned;", "").replace("mov.f32 %f1, 0f3F800000;", "wgmma.fence.sync.aligned; mov.f32 %f1, 0f3F800000;"));
        fault("the warp ended before a wgmma.wait_group for its products",
                broken(PRODUCT, "wgmma.wait_group.sync.aligned 0;", "ret;"));
    }

    @Test void mistakesWithMbarriersAreFound() {
        fault("the mbarrier at byte 2304 was never initialised", broken(PRODUCT, "mbarrier.init.shared::cta.b64 [%r4], 1;", ""));
        fault("the mbarrier at byte 2304 is used by a bulk copy: a fence.mbarrier_init or fence.proxy.async must follow its initialisation",
                broken(PRODUCT, "fence.mbarrier_init.release.cluster;", ""));
        fault("the mbarrier at byte 2304 is used with nothing between its initialisation by warp 0 and this that orders them", broken(PRODUCT, "bar.sync 0;", ""));
        fault("this waits for ever for phase 0 of the mbarrier at byte 2304, which lacks 0 arrivals and 16 bytes", broken(PRODUCT, "2304;", "2320;"));
        fault("this waits for ever for phase 0 of the mbarrier at byte 2304, which lacks 1 arrivals and 0 bytes", broken(PRODUCT, "init.shared::cta.b64 [%r4], 1;", "init.shared::cta.b64 [%r4], 2;"));
        fault("byte 2304 of shared memory belongs to an mbarrier, which only its own instructions may write",
                broken(PRODUCT, "mov.u32 %r5, 0;", "mov.u32 %r5, 0; st.shared.u32 [%r4], %r5;"));
    }

    @Test void mistakesWithBulkCopiesAreFound() {
        fault("misaligned address: a bulk copy's target must be a multiple of 128, got byte 64", broken(PRODUCT, "mov.u32 %r5, 0;", "mov.u32 %r5, 0; add.u32 %r2, %r2, 64;"));
        fault("a tensor map, at a multiple of 64 bytes of the arguments, is required, got what lies at byte 64", broken(PRODUCT, "mov.b64 %rd2, pa;", "mov.b64 %rd2, pa+64;"));
        fault("out of bounds: bulk copy of 2048 bytes to byte 2048 of shared memory of 2320 bytes", broken(PRODUCT, "bytes [%r2], [%rd3", "bytes [%r3], [%rd3"));
        fault("byte 0 of shared memory is written while the bulk copy of line 28 may still be writing it", broken(PRODUCT, "$wait:", "st.shared.u32 [%r2], %r1; $wait:"));
        String ends = broken(PRODUCT, "$wait:", "$wait: ret;");
        fault("the block ended while this bulk copy was under way: phase 0 of the mbarrier at byte 2304, which lacks 0 arrivals and 2304 bytes", ends);
    }

    @Test void ordinaryWritesNeedAFenceBeforeAProductReadsThem() {
        String written = broken(PRODUCT, "mov.f32 %f1, 0f3F800000;", "@!%p1 st.shared.u32 [%r3], %r5; bar.sync 0; mov.f32 %f1, 0f3F800000;")
                .replace("@%p1 bra $ready;", "mov.u32 %r5, 0; @%p1 bra $ready;");
        fault("read of byte 2048 of shared memory by wgmma: a fence.proxy.async must follow the write by thread 0", written);
        assertEquals(64 * 8, bench.floats(run(broken(written, "bar.sync 0; mov", "fence.proxy.async.shared::cta; bar.sync 0; mov")), 64 * 8).length);
    }

    @Test void someWarpsWaitForEachOther() {
        String text = """
                .visible .entry pairs(.param .u64 py)
                {
                  .shared .align 4 .b8 buffer[512];
                  .reg .pred %p<2>; .reg .b32 %r<12>; .reg .b64 %rd<4>;
                  ld.param.u64 %rd1, [py];
                  mov.u32 %r1, %tid.x;
                  mov.u32 %r2, buffer;
                  shl.b32 %r3, %r1, 2;
                  add.s32 %r4, %r2, %r3;
                  shr.u32 %r8, %r1, 6;
                  add.u32 %r8, %r8, 1;
                  st.shared.u32 [%r4], %r1;
                  bar.sync %r8, 64;
                  xor.b32 %r5, %r3, 252;
                  add.u32 %r5, %r5, %r2;
                  ld.shared.u32 %r6, [%r5];
                  mul.wide.u32 %rd2, %r1, 4;
                  add.s64 %rd3, %rd1, %rd2;
                  st.global.u32 [%rd3], %r6;
                  ret;
                }
                """;
        long y = bench.room(512);
        bench.launch(bench.kernel("pairs", text), 1, 128, new LaunchArguments().i64(y));
        int[] expected = new int[128];
        Arrays.setAll(expected, i -> i ^ 63);
        assertArrayEquals(expected, bench.ints(y, 128));
        String other = broken(text, "xor.b32 %r5, %r3, 252;", "xor.b32 %r5, %r3, 508;");
        String message = assertThrows(KernelFault.class, () -> bench.launch(bench.kernel("pairs", other), 1, 128, new LaunchArguments().i64(y))).getMessage();
        assertTrue(message.endsWith("with nothing between that orders them"), message);
        String missed = broken(text, "bar.sync %r8, 64;", "setp.gt.u32 %p1, %r1, 95; @%p1 bra $end; bar.sync %r8, 64; $end:");
        message = assertThrows(KernelFault.class, () -> bench.launch(bench.kernel("pairs", missed), 1, 128, new LaunchArguments().i64(y))).getMessage();
        assertTrue(message.endsWith("divergent barrier: barrier 2 waits for ever for 64 threads, 1 warps have come") || message.contains("nothing"), message);
    }
}
