package dev.retrograd.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.cuda.CudaDriver.Kernel;
import dev.retrograd.cuda.CudaException;
import dev.retrograd.cuda.LaunchArguments;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Small programs with known answers.
class EmulatorTest {
    /// y[i] = 2·x[i] + y[i] for i < n.
    private static final String AXPY = """
            .visible .entry axpy(.param .u64 px, .param .u64 py, .param .u32 pn)
            {
              .reg .pred %p<2>; .reg .b32 %r<8>; .reg .f32 %f<4>; .reg .b64 %rd<8>;
              ld.param.u64 %rd1, [px];
              ld.param.u64 %rd2, [py];
              ld.param.u32 %r1, [pn];
              mov.u32 %r2, %ctaid.x;
              mov.u32 %r3, %ntid.x;
              mov.u32 %r4, %tid.x;
              mad.lo.s32 %r5, %r2, %r3, %r4;
              setp.ge.s32 %p1, %r5, %r1;
              @%p1 bra $done;
              cvta.to.global.u64 %rd3, %rd1;
              cvta.to.global.u64 %rd4, %rd2;
              mul.wide.s32 %rd5, %r5, 4;
              add.s64 %rd6, %rd3, %rd5;
              add.s64 %rd7, %rd4, %rd5;
              ld.global.f32 %f1, [%rd6];
              ld.global.f32 %f2, [%rd7];
              fma.rn.f32 %f3, %f1, 0f40000000, %f2;
              st.global.f32 [%rd7], %f3;
            $done:
              ret;
            }
            """;

    private final Bench bench = new Bench();
    private final LaunchArguments arguments = new LaunchArguments();

    @AfterEach void close() {
        bench.close();
    }

    @Test void axpyStopsAtItsTail() {
        float[] x = new float[101];
        float[] y = new float[101];
        Arrays.fill(x, 3);
        Arrays.fill(y, 1);
        long px = bench.upload(x);
        long py = bench.upload(y);
        bench.launch(bench.kernel("axpy", AXPY), 2, 64, arguments.i64(px).i64(py).i32(100));
        float[] expected = new float[101];
        Arrays.fill(expected, 7);
        expected[100] = 1;
        assertArrayEquals(expected, bench.floats(py, 101));
        assertTrue(bench.driver.instructions() > 4 * 10, "counts warp instructions, got " + bench.driver.instructions());
    }

    @Test void lanesThatLoopForDifferentTimesMeetAgain() {
        // y[i] = 0 + 1 + … + (i − 1), then all lanes together vote that they are 32
        String text = """
                .visible .entry sums(.param .u64 py)
                {
                  .reg .pred %p<3>; .reg .b32 %r<8>; .reg .b64 %rd<4>;
                  ld.param.u64 %rd1, [py];
                  mov.u32 %r1, %tid.x;
                  mov.u32 %r2, 0;
                  mov.u32 %r3, 0;
                $loop:
                  setp.ge.u32 %p1, %r3, %r1;
                  @%p1 bra $end;
                  add.s32 %r2, %r2, %r3;
                  add.s32 %r3, %r3, 1;
                  bra.uni $loop;
                $end:
                  setp.ne.s32 %p2, %r1, -1;
                  vote.sync.ballot.b32 %r4, %p2, -1;
                  popc.b32 %r5, %r4;
                  mad.lo.s32 %r6, %r5, 1000, %r2;
                  mul.wide.u32 %rd2, %r1, 4;
                  add.s64 %rd3, %rd1, %rd2;
                  st.global.u32 [%rd3], %r6;
                  ret;
                }
                """;
        long y = bench.room(128);
        bench.launch(bench.kernel("sums", text), 1, 32, arguments.i64(y));
        int[] expected = new int[32];
        Arrays.setAll(expected, i -> 32000 + i * (i - 1) / 2);
        assertArrayEquals(expected, bench.ints(y, 32));
    }

    @Test void shufflesGiveOtherLanesValues() {
        String text = """
                .visible .entry shuffles(.param .u64 py)
                {
                  .reg .pred %p<2>; .reg .b32 %r<12>; .reg .b64 %rd<4>;
                  ld.param.u64 %rd1, [py];
                  mov.u32 %r1, %laneid;
                  shfl.sync.down.b32 %r2|%p1, %r1, 4, 31, -1;
                  shfl.sync.up.b32 %r3, %r1, 1, 0, -1;
                  shfl.sync.bfly.b32 %r4, %r1, 16, 31, -1;
                  shfl.sync.idx.b32 %r5, %r1, 3, 6175, -1;
                  selp.b32 %r6, 1, 0, %p1;
                  mul.wide.u32 %rd2, %r1, 16;
                  add.s64 %rd3, %rd1, %rd2;
                  shl.b32 %r6, %r6, 8;
                  or.b32 %r2, %r2, %r6;
                  st.global.v4.u32 [%rd3], {%r2, %r3, %r4, %r5};
                  ret;
                }
                """;
        long y = bench.room(512);
        bench.launch(bench.kernel("shuffles", text), 1, 32, arguments.i64(y));
        int[] expected = new int[128];
        for (int l = 0; l < 32; l++) {
            expected[4 * l] = l < 28 ? l + 4 | 256 : l;
            expected[4 * l + 1] = Math.max(l - 1, 0);
            expected[4 * l + 2] = l ^ 16;
            expected[4 * l + 3] = l & 24 | 3; // 6175 = 0x181F: segments of eight lanes
        }
        assertArrayEquals(expected, bench.ints(y, 128));
    }

    @Test void warpsExchangeThroughSharedMemoryAcrossABarrier() {
        long y = bench.room(512);
        bench.launch(bench.kernel("reverse", SharedMemoryPrograms.REVERSE), 1, 128, arguments.i64(y));
        int[] expected = new int[128];
        Arrays.setAll(expected, i -> 127 - i);
        assertArrayEquals(expected, bench.ints(y, 128));
    }

    @Test void constantsAndLocalMemoryAreReached() {
        String text = """
                .const .align 4 .u32 table[4] = {7, 11, 0x10, 23};
                .visible .entry tables(.param .u64 py)
                {
                  .local .align 4 .b8 depot[16];
                  .reg .b32 %r<8>; .reg .b64 %rd<8>;
                  ld.param.u64 %rd1, [py];
                  mov.u32 %r1, %tid.x;
                  and.b32 %r2, %r1, 3;
                  mul.wide.u32 %rd2, %r2, 4;
                  mov.u64 %rd3, table;
                  add.s64 %rd4, %rd3, %rd2;
                  ld.const.u32 %r3, [%rd4];
                  mov.u64 %rd5, depot;
                  cvta.local.u64 %rd6, %rd5;
                  add.s64 %rd6, %rd6, %rd2;
                  st.u32 [%rd6], %r3;
                  ld.u32 %r4, [%rd6];
                  ld.const.u32 %r5, [table+4];
                  add.s32 %r4, %r4, %r5;
                  mul.wide.u32 %rd2, %r1, 4;
                  add.s64 %rd7, %rd1, %rd2;
                  st.global.u32 [%rd7], %r4;
                  ret;
                }
                """;
        long y = bench.room(32);
        bench.launch(bench.kernel("tables", text), 1, 8, arguments.i64(y));
        assertArrayEquals(new int[] {18, 22, 27, 34, 18, 22, 27, 34}, bench.ints(y, 8));
    }

    @Test void atomicsCountEveryThread() {
        String text = """
                .visible .entry count(.param .u64 py)
                {
                  .reg .b32 %r<3>; .reg .b64 %rd<2>;
                  ld.param.u64 %rd1, [py];
                  mov.u32 %r1, 3;
                  atom.global.add.u32 %r2, [%rd1], %r1;
                  ret;
                }
                """;
        long y = bench.upload(5);
        bench.launch(bench.kernel("count", text), 300, 40, arguments.i64(y));
        assertArrayEquals(new int[] {5 + 3 * 12000}, bench.ints(y, 1));
    }

    @Test void unknownInstructionsAreRefusedByNameAndLine() {
        String text = """
                .visible .entry odd()
                {
                  .reg .b32 %r<3>;
                  dp4a.u32.u32 %r1, %r1, %r1, %r2;
                  ret;
                }
                """;
        PtxException e = assertThrows(PtxException.class, () -> bench.kernel("odd", text));
        assertEquals("ptx, line 7 of odd: unknown instruction dp4a.u32.u32", e.getMessage());
        PtxException rounding = assertThrows(PtxException.class, () -> bench.kernel("odd", text.replace("dp4a.u32.u32 %r1, %r1, %r1, %r2", "add.rz.f32 %r1, %r1, %r1")));
        assertEquals("ptx, line 7 of odd: unknown instruction add.rz.f32", rounding.getMessage());
    }

    @Test void missingKernelsAndWrongArgumentsAreRefused() {
        Kernel axpy = bench.kernel("axpy", AXPY);
        KernelFault e = assertThrows(KernelFault.class, () -> bench.launch(axpy, 1, 32, arguments.i64(0)));
        assertEquals("axpy: the kernel takes 20 bytes of arguments, got 8", e.getMessage());
        assertThrows(CudaException.class, () -> bench.kernel("axpby", AXPY));
    }

    @Test void memoryThatRanOutIsRefusedAndFreedMemoryComesBack() {
        long a = bench.room(1 << 23);
        CudaException e = assertThrows(CudaException.class, () -> bench.room(1 << 24));
        assertEquals("cuda: out of memory: 16777216 bytes asked for, 8388608 of 16777216 free", e.getMessage());
        bench.driver.free(a);
        bench.driver.free(bench.room(1 << 24));
        assertEquals(0, bench.driver.allocations());
        assertThrows(IllegalStateException.class, () -> bench.driver.free(a));
    }
}
