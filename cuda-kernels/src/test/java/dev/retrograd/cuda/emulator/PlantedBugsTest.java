package dev.retrograd.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.cuda.CudaDriver.Kernel;
import dev.retrograd.cuda.LaunchArguments;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Mistakes that kernels are made with, each found with the kernel, the line and the thread.
class PlantedBugsTest {
    private static final String REVERSE = SharedMemoryPrograms.REVERSE;
    /// y[i] = x[i] for i < n.
    private static final String COPY = """
            .visible .entry copy(.param .u64 px, .param .u64 py, .param .u32 pn)
            {
              .reg .pred %p<2>; .reg .b32 %r<8>; .reg .b64 %rd<8>;
              ld.param.u64 %rd1, [px];
              ld.param.u64 %rd2, [py];
              ld.param.u32 %r1, [pn];
              mov.u32 %r2, %tid.x;
              setp.ge.u32 %p1, %r2, %r1;
              @%p1 bra $done;
              mul.wide.u32 %rd3, %r2, 4;
              add.s64 %rd4, %rd1, %rd3;
              add.s64 %rd5, %rd2, %rd3;
              ld.global.u32 %r3, [%rd4];
              st.global.u32 [%rd5], %r3;
            $done:
              ret;
            }
            """;

    private final Bench bench = new Bench();
    private final LaunchArguments arguments = new LaunchArguments();

    @AfterEach void close() {
        bench.close();
    }

    private static String broken(String text, String what, String by) {
        String changed = text.replace(what, by);
        assertNotEquals(text, changed, "the planted bug must change the text");
        return changed;
    }

    private String faultOfReverse(String text) {
        Kernel kernel = bench.kernel("reverse", text);
        long y = bench.room(512);
        return assertThrows(KernelFault.class, () -> bench.launch(kernel, 1, 128, arguments.clear().i64(y))).getMessage();
    }

    private String faultOfCopy(String text, long x, long y, int n) {
        Kernel kernel = bench.kernel("copy", text);
        return assertThrows(KernelFault.class, () -> bench.launch(kernel, 1, 64, arguments.clear().i64(x).i64(y).i32(n))).getMessage();
    }

    @Test void aMissingBarrierIsARace() {
        String unordered = broken(REVERSE, "bar.sync 0;", "");
        assertEquals("reverse, line 17, block (0,0,0), thread (0,0,0): read of memory that nothing wrote: 4 bytes at byte 508 of shared memory",
                faultOfReverse(unordered), "the other warps' values are not there yet");
        String initialised = broken(unordered, "st.shared.u32 [%r4], %r1;",
                "mov.u32 %r7, 0; st.shared.u32 [%r4], %r7; bar.sync 0; st.shared.u32 [%r4], %r1;");
        assertEquals("reverse, line 14, block (0,0,0), thread (64,0,0): race in shared memory: byte 256 is written here and was read by thread 63 with no barrier between",
                faultOfReverse(initialised));
    }

    @Test void aWarpsExchangeNeedsItsBarrier() {
        String text = """
                .visible .entry reverse(.param .u64 py)
                {
                  .shared .align 4 .b8 buffer[128];
                  .reg .b32 %r<8>; .reg .b64 %rd<4>;
                  ld.param.u64 %rd1, [py];
                  mov.u32 %r1, %tid.x;
                  mov.u32 %r2, buffer;
                  shl.b32 %r3, %r1, 2;
                  add.s32 %r4, %r2, %r3;
                  st.shared.u32 [%r4], %r1;
                  bar.warp.sync -1;
                  sub.s32 %r5, %r2, %r3;
                  ld.shared.u32 %r6, [%r5+124];
                  mul.wide.u32 %rd2, %r1, 4;
                  add.s64 %rd3, %rd1, %rd2;
                  st.global.u32 [%rd3], %r6;
                  ret;
                }
                """;
        long y = bench.room(128);
        bench.launch(bench.kernel("reverse", text), 1, 32, arguments.i64(y));
        assertEquals(31, bench.ints(y, 32)[0]);
        Kernel racing = bench.kernel("reverse", broken(text, "bar.warp.sync -1;", ""));
        KernelFault e = assertThrows(KernelFault.class, () -> bench.launch(racing, 1, 32, arguments));
        assertEquals("reverse, line 16, block (0,0,0), thread (0,0,0): race in shared memory: byte 124 is read here and was written by thread 31 with no barrier between",
                e.getMessage());
    }

    @Test void anOffByOneTailIsOutOfBounds() {
        long x = bench.upload(new int[50]);
        long y = bench.room(200);
        String message = faultOfCopy(broken(COPY, "setp.ge.u32", "setp.gt.u32"), x, y, 50);
        assertEquals("copy, line 16, block (0,0,0), thread (50,0,0): out of bounds: read of 4 bytes at 0x" + Long.toHexString(x + 200)
                + " of global memory, 200 bytes into an allocation of 200 bytes", message);
    }

    @Test void anUnwrittenOutputIsFoundWhenItIsRead() {
        long x = bench.upload(new int[50]);
        long y = bench.room(200);
        bench.launch(bench.kernel("copy", broken(COPY, "setp.ge.u32 %p1, %r2, %r1", "setp.ge.u32 %p1, %r2, 49")), 1, 64, arguments.i64(x).i64(y).i32(50));
        assertEquals("copyToHost: nothing wrote byte 196 of the 200", assertThrows(KernelFault.class, () -> bench.ints(y, 50)).getMessage());
        assertEquals("copy, line 16, block (0,0,0), thread (49,0,0): read of memory that nothing wrote: 4 bytes at byte 196 of global memory",
                faultOfCopy(COPY, y, x, 50));
        assertArrayEquals(new int[49], bench.ints(y, 49));
    }

    @Test void aMisalignedAddressIsFound() {
        long x = bench.upload(new int[50]);
        assertEquals("copy, line 16, block (0,0,0), thread (0,0,0): misaligned address: 4 bytes at 0x" + Long.toHexString(x + 2),
                faultOfCopy(COPY, x + 2, x, 4));
    }

    @Test void aBarrierThatSomeThreadsMissIsDivergent() {
        assertEquals("reverse, line 15, block (0,0,0), thread (0,0,0): divergent barrier: all threads of the block must reach it, warp 2 has ended",
                faultOfReverse(broken(REVERSE, "bar.sync 0;", "@!%p1 bra $end; bar.sync 0; $end:").replace("ld.shared.u32 %r6, [%r5+508];", "mov.u32 %r6, 0;")));
        assertEquals("reverse, line 15, block (0,0,0), thread (0,0,0): divergent barrier: all threads of the block must reach it, only lanes 0xf of 0xffffffff did",
                faultOfReverse(broken(broken(REVERSE, "%p1, %r1, 64", "%p1, %r1, 4"), "bar.sync 0;", "@%p1 bar.sync 0;")));
    }

    @Test void aShuffleThatSomeLanesMissIsFound() {
        String text = broken(REVERSE, "bar.sync 0;", "@%p1 shfl.sync.idx.b32 %r7, %r1, 0, 31, -1;").replace("%p1, %r1, 64", "%p1, %r1, 4");
        assertEquals("reverse, line 15, block (0,0,0), thread (0,0,0): the lanes 0xffffffff must be here together, got 0xf", faultOfReverse(text));
    }
}
