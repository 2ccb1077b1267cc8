// Batched matrix products y = alpha * op(a) * op(b), as gemm.cuh computes them; y [batch, M, N] is contiguous.
//
// Grid: (M / 64, N / 64, batch) rounded up; 256 threads. Operands of 16 bits are converted as they are read.
#include "epilogue.cuh"
#include "gemm.cuh"

// An operand: element (i, j) of matrix z lies at z * batch + i * row + j * column.
struct Layout {
    i64 batch;
    i64 row;
    i64 column;
};

template <typename T> struct Matrix {
    const T* data;
    Layout layout;
    __device__ __forceinline__ float at(int i, int j) const { return to_float(data[i * layout.row + j * layout.column]); }
};

#define ENTRY(A, a_name, B, b_name) \
    extern "C" __global__ void matmul_##a_name##_##b_name(const A* a, Layout la, const B* b, Layout lb, Epilogue e, int m, int n, int k, float alpha) { \
        e.y += blockIdx.z * (i64) m * n; \
        gemm(Matrix<A>{a + blockIdx.z * la.batch, la}, Matrix<B>{b + blockIdx.z * lb.batch, lb}, e, alpha, m, n, k, la.column == 1, lb.row == 1); \
    }
ENTRY(float, f32, float, f32)
ENTRY(float, f32, f16, f16)
ENTRY(float, f32, bf16, bf16)
ENTRY(f16, f16, float, f32)
ENTRY(bf16, bf16, float, f32)

// The sums of `splits` parts of k, [batch, splits, m, n] in the workspace, added in their order.
extern "C" __global__ void matmul_sum_splits(Finish e, i64 m, i64 n, i64 batch, int splits) {
    EACH(i, batch * m * n) {
        float v[4] = {};
        for (int s = 0; s < splits; s++) {
            v[0] += e.partial[(i / (m * n) * splits + s) * m * n + i % (m * n)];
        }
        finish<false>(e, i, (int) (i % n), v, 1);
    }
}

// What follows a product [rows, columns] whose sums another library has put into y: bias, activation and residual, in y's place. Four columns at a time.
extern "C" __global__ void matmul_finish(Finish e, i64 rows) {
    i64 fours = (e.columns + 3) / 4;
    EACH(i, rows * fours) {
        int column = (int) (i % fours) * 4;
        int n = (int) min(e.columns - column, (i64) 4);
        i64 at = i / fours * e.columns + column;
        float v[4];
        get(v, e.y, (int) e.type, at, n, n == 4 && e.aligned);
        if (e.activation) {
#pragma unroll 1 // one copy of the code
            for (int u = 0; u < n; u++) {
                float x = biased(e, v[u], column + u);
                v[u] = x * (e.activation == 1 ? 1 / (1 + expf(-x)) : erfcf(x * -0.70710678118654752440f) / 2);
            }
        }
        finish<true>(e, at, column, v, n);
    }
}
