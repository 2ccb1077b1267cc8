package dev.retrograd.cuda.emulator;

/// Programs that several tests run, or break.
final class SharedMemoryPrograms {
    private SharedMemoryPrograms() {
    }

    /// y[i] = 127 − i, through shared memory; 128 threads.
    static final String REVERSE = """
            .visible .entry reverse(.param .u64 py)
            {
              .shared .align 4 .b8 buffer[512];
              .reg .pred %p<2>; .reg .b32 %r<8>; .reg .b64 %rd<4>;
              ld.param.u64 %rd1, [py];
              mov.u32 %r1, %tid.x;
              mov.u32 %r2, buffer;
              shl.b32 %r3, %r1, 2;
              add.s32 %r4, %r2, %r3;
              setp.lt.u32 %p1, %r1, 64;
              st.shared.u32 [%r4], %r1;
              bar.sync 0;
              sub.s32 %r5, %r2, %r3;
              ld.shared.u32 %r6, [%r5+508];
              mul.wide.u32 %rd2, %r1, 4;
              add.s64 %rd3, %rd1, %rd2;
              st.global.u32 [%rd3], %r6;
              ret;
            }
            """;
}
