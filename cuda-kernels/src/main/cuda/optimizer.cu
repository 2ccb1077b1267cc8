// AdamW (arXiv 1711.05101, as torch.optim.AdamW), the clipping factor and running averages of weights, float32.
//
//   g = gradientScale * grad;  p *= 1 - lr * wd;  m = b1 * m + (1 - b1) * g;  v = b2 * v + (1 - b2) * g^2
//   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
//   average = decay * average + (1 - decay) * value
//
// Many tensors per launch (spans.cuh): one block of 256 threads per chunk; clip_factor one thread. No shared memory. Deterministic.
#include "spans.cuh"

// Rows of the table: grad, p, m, v. decay = 1 - lr * wd, rate = lr / (1 - b1^t), correction = 1 / sqrt(1 - b2^t)
extern "C" __global__ void adamw_f32(const Span* table, int rows, const float* gradient_scale,
        double decay, double b1, double b2, double rate, double correction, double eps) {
    const Span* s = span_of(table, rows, blockIdx.x);
    const float* grad = s->at[0];
    float* p = s->at[1];
    float* m = s->at[2];
    float* v = s->at[3];
    float scale = gradient_scale[0];
    EACH_OF_CHUNK(i, s, blockIdx.x) {
        float g = scale * grad[i];
        float m1 = (float) b1 * m[i] + (float) (1 - b1) * g;
        float v1 = (float) b2 * v[i] + (float) (1 - b2) * g * g;
        m[i] = m1;
        v[i] = v1;
        p[i] = p[i] * (float) decay - (float) rate * (m1 / (sqrtf(v1) * (float) correction + (float) eps));
    }
}

// Rows of the table: average, value.
extern "C" __global__ void average_f32(const Span* table, int rows, double decay) {
    const Span* s = span_of(table, rows, blockIdx.x);
    float* average = s->at[0];
    const float* value = s->at[1];
    EACH_OF_CHUNK(i, s, blockIdx.x) {
        average[i] = (float) decay * average[i] + (float) (1 - decay) * value[i];
    }
}

// y = min(1, max_norm / (norm + 1e-6))
extern "C" __global__ void clip_factor_f32(const float* norm, double max_norm, float* y) {
    float factor = (float) (max_norm / (norm[0] + 1e-6));
    y[0] = factor > 1 ? 1 : factor;
}
