package dev.retrograd.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.DType;
import dev.retrograd.cuda.CudaDriver.Kernel;
import dev.retrograd.cuda.LaunchArguments;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Asynchronous copies, matrix loads and tensor-core products, used as kernels use them: tiles go to shared memory, from there to fragments.
class MatrixProgramsTest {
    /// y [16,8] = a [16,16] · b [16,8], row-major; the copies of a (16 bytes per lane) and of b (8 bytes) are two groups.
    private static final String PRODUCT = """
            .visible .entry product(.param .u64 pa, .param .u64 pb, .param .u64 py)
            {
              .shared .align 16 .b8 as[512];
              .shared .align 16 .b8 bs[256];
              .reg .b32 %r<40>; .reg .b64 %rd<12>; .reg .f32 %f<9>;
              ld.param.u64 %rd1, [pa];
              ld.param.u64 %rd2, [pb];
              ld.param.u64 %rd3, [py];
              mov.u32 %r1, %tid.x;
              mov.u32 %r2, as;
              mov.u32 %r3, bs;
              shl.b32 %r4, %r1, 4;
              add.s32 %r5, %r2, %r4;
              mul.wide.u32 %rd4, %r1, 16;
              add.s64 %rd5, %rd1, %rd4;
              cp.async.cg.shared.global [%r5], [%rd5], 16;
              cp.async.commit_group;
              shl.b32 %r6, %r1, 3;
              add.s32 %r7, %r3, %r6;
              mul.wide.u32 %rd6, %r1, 8;
              add.s64 %rd7, %rd2, %rd6;
              cp.async.ca.shared.global [%r7], [%rd7], 8;
              cp.async.commit_group;
              cp.async.wait_group 0;
              bar.sync 0;
              and.b32 %r8, %r1, 15;
              shl.b32 %r9, %r8, 5;
              and.b32 %r10, %r1, 16;
              add.s32 %r11, %r9, %r10;
              add.s32 %r12, %r2, %r11;
              ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r20, %r21, %r22, %r23}, [%r12];
              shl.b32 %r13, %r8, 4;
              add.s32 %r14, %r3, %r13;
              ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r24, %r25}, [%r14];
              mov.f32 %f1, 0f3F800000;
              mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f2, %f3, %f4, %f5}, {%r20, %r21, %r22, %r23}, {%r24, %r25}, {%f1, %f1, %f1, %f1};
              shr.u32 %r15, %r1, 2;
              and.b32 %r16, %r1, 3;
              shl.b32 %r17, %r15, 5;
              shl.b32 %r18, %r16, 3;
              add.s32 %r19, %r17, %r18;
              cvt.u64.u32 %rd8, %r19;
              add.s64 %rd9, %rd3, %rd8;
              st.global.v2.f32 [%rd9], {%f2, %f3};
              st.global.v2.f32 [%rd9+256], {%f4, %f5};
              ret;
            }
            """;

    private final Bench bench = new Bench();

    @AfterEach void close() {
        bench.close();
    }

    /// Two 16-bit numbers per word.
    private static int[] packed(boolean bf16, float[] values) {
        int[] words = new int[values.length / 2];
        for (int i = 0; i < words.length; i++) {
            int low = bf16 ? DType.floatToBf16(values[2 * i]) : Float.floatToFloat16(values[2 * i]);
            int high = bf16 ? DType.floatToBf16(values[2 * i + 1]) : Float.floatToFloat16(values[2 * i + 1]);
            words[i] = low & 0xFFFF | high << 16;
        }
        return words;
    }

    private static float[] counted(int count, int modulus) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = i * 7 % modulus - modulus / 2;
        }
        return values;
    }

    /// `1 + a·b` of row-major matrices.
    private static float[] onePlusProduct(float[] a, float[] b, int k) {
        float[] y = new float[128];
        for (int i = 0; i < 16; i++) {
            for (int j = 0; j < 8; j++) {
                float sum = 1;
                for (int p = 0; p < k; p++) {
                    sum += a[i * k + p] * b[p * 8 + j];
                }
                y[i * 8 + j] = sum;
            }
        }
        return y;
    }

    @ParameterizedTest @ValueSource(booleans = {true, false}) void aProductOfSixteenBitTilesIsTheMatrixProduct(boolean bf16) {
        float[] a = counted(256, 23);
        float[] b = counted(128, 17);
        long y = bench.room(512);
        Kernel kernel = bench.kernel("product", bf16 ? PRODUCT : PRODUCT.replace("bf16", "f16"));
        bench.launch(kernel, 1, 32, new LaunchArguments().i64(bench.upload(packed(bf16, a))).i64(bench.upload(packed(bf16, b))).i64(y));
        assertArrayEquals(onePlusProduct(a, b, 16), bench.floats(y, 128));
    }

    @Test void aProductInTf32DropsTheLastThirteenBits() {
        // a lane's registers are loaded from row-major matrices as the fragment's figure has them
        String text = """
                .visible .entry product(.param .u64 pa, .param .u64 pb, .param .u64 py)
                {
                  .reg .b32 %r<20>; .reg .b64 %rd<12>; .reg .f32 %f<9>;
                  ld.param.u64 %rd1, [pa];
                  ld.param.u64 %rd2, [pb];
                  ld.param.u64 %rd3, [py];
                  mov.u32 %r1, %tid.x;
                  shr.u32 %r2, %r1, 2;
                  and.b32 %r3, %r1, 3;
                  mad.lo.s32 %r4, %r2, 8, %r3;
                  mul.wide.u32 %rd4, %r4, 4;
                  add.s64 %rd5, %rd1, %rd4;
                  ld.global.u32 %r10, [%rd5];
                  ld.global.u32 %r11, [%rd5+256];
                  ld.global.u32 %r12, [%rd5+16];
                  ld.global.u32 %r13, [%rd5+272];
                  mad.lo.s32 %r5, %r3, 8, %r2;
                  mul.wide.u32 %rd6, %r5, 4;
                  add.s64 %rd7, %rd2, %rd6;
                  ld.global.u32 %r14, [%rd7];
                  ld.global.u32 %r15, [%rd7+128];
                  mov.f32 %f1, 0f3F800000;
                  mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f2, %f3, %f4, %f5}, {%r10, %r11, %r12, %r13}, {%r14, %r15}, {%f1, %f1, %f1, %f1};
                  mul.lo.u32 %r6, %r2, 32;
                  mad.lo.u32 %r7, %r3, 8, %r6;
                  cvt.u64.u32 %rd8, %r7;
                  add.s64 %rd9, %rd3, %rd8;
                  st.global.v2.f32 [%rd9], {%f2, %f3};
                  st.global.v2.f32 [%rd9+256], {%f4, %f5};
                  ret;
                }
                """;
        float[] a = counted(128, 23);
        float[] b = counted(64, 17);
        long y = bench.room(512);
        float[] inexact = new float[128];
        for (int i = 0; i < 128; i++) {
            inexact[i] = Float.intBitsToFloat(Float.floatToRawIntBits(a[i]) | 0x1FFF);
        }
        bench.launch(bench.kernel("product", text), 1, 32, new LaunchArguments().i64(bench.upload(inexact)).i64(bench.upload(b)).i64(y));
        assertArrayEquals(onePlusProduct(a, b, 8), bench.floats(y, 128));
    }

    private String faultOf(String what, String by) {
        String text = PRODUCT.replace(what, by);
        assertNotEquals(PRODUCT, text, "the planted bug must change the text");
        Kernel kernel = bench.kernel("product", text);
        long a = bench.upload(new int[128]);
        long b = bench.upload(new int[64]);
        long y = bench.room(512);
        return assertThrows(KernelFault.class, () -> bench.launch(kernel, 1, 32, new LaunchArguments().i64(a).i64(b).i64(y))).getMessage();
    }

    @Test void readingBeforeACopyHasLandedIsFound() {
        assertEquals("product, line 37, block (0,0,0), thread (0,0,0): read of memory that nothing wrote: 16 bytes at byte 512 of shared memory",
                faultOf("cp.async.wait_group 0", "cp.async.wait_group 1"), "b is still under way");
        assertEquals("product, line 34, block (0,0,0), thread (0,0,0): read of memory that nothing wrote: 16 bytes at byte 0 of shared memory",
                faultOf("cp.async.wait_group 0;", ""));
    }

    @Test void readingWhatOtherLanesCopiedNeedsABarrier() {
        assertEquals("product, line 34, block (0,0,0), thread (1,0,0): race in shared memory: byte 32 is read here and was written by thread 2 with no barrier between",
                faultOf("bar.sync 0;", ""));
    }

    @Test void aSourceSizeBelowTheCopysLeavesZeros() {
        float[] a = counted(256, 23);
        float[] b = counted(128, 17);
        Arrays.fill(a, 0, 128, 1);
        long y = bench.room(512);
        Kernel kernel = bench.kernel("product", PRODUCT.replace("[%rd5], 16;", "[%rd5], 16, %r30;").replace("cp.async.cg", "mov.u32 %r30, 8;\ncp.async.cg"));
        bench.launch(kernel, 1, 32, new LaunchArguments().i64(bench.upload(packed(true, a))).i64(bench.upload(packed(true, b))).i64(y));
        for (int i = 0; i < 256; i++) {
            a[i] = i % 8 < 4 ? a[i] : 0;
        }
        assertArrayEquals(onePlusProduct(a, b, 16), bench.floats(y, 128));
    }
}
