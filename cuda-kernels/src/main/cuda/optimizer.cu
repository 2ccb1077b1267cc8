// AdamW (arXiv 1711.05101, as torch.optim.AdamW) and the clipping factor, float32.
//
//   g = gradientScale * grad;  p *= 1 - lr * wd;  m = b1 * m + (1 - b1) * g;  v = b2 * v + (1 - b2) * g^2
//   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
//
// Grid: any number of blocks of 256 threads, each thread taking every (grid size)-th element; clip_factor one thread. Deterministic.
#include "common.cuh"

// decay = 1 - lr * wd, rate = lr / (1 - b1^t), correction = 1 / sqrt(1 - b2^t)
extern "C" __global__ void adamw_f32(const float* grad, const float* gradient_scale, float* p, float* m, float* v, i64 n,
        double decay, double b1, double b2, double rate, double correction, double eps) {
    float scale = gradient_scale[0];
    EACH(i, n) {
        float g = scale * grad[i];
        float m1 = (float) b1 * m[i] + (float) (1 - b1) * g;
        float v1 = (float) b2 * v[i] + (float) (1 - b2) * g * g;
        m[i] = m1;
        v[i] = v1;
        p[i] = p[i] * (float) decay - (float) rate * (m1 / (sqrtf(v1) * (float) correction + (float) eps));
    }
}

// y = min(1, max_norm / (norm + 1e-6))
extern "C" __global__ void clip_factor_f32(const float* norm, double max_norm, float* y) {
    float factor = (float) (max_norm / (norm[0] + 1e-6));
    y[0] = factor > 1 ? 1 : factor;
}
