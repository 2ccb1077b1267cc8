// Resampling of channels-last images of any activation type: nearest upsampling, bilinear and bicubic resizing with half-pixel centres, and their adjoints.
//
// Resizing is separable: y[oh, ow] = sum over (h, w) of weight(oh, h) * weight(ow, w) * x[h, w]. Without antialias the 2 or 4 nearest pixels
// count, what lies outside being the border pixel; with it the filter widens by the factor of shrinking and its weights are normalised.
// Cubic convolution (Keys 1981) with a = -0.75, with antialias -0.5. Parity: torch interpolate, align_corners=False.
//
// Grid: any number of blocks of 256 threads, each thread taking every (grid size)-th element of the result. No shared memory. Weights are
// computed in float64, sums in float32 in a fixed order: deterministic.
#include "common.cuh"

template <typename T> __device__ __forceinline__ void upsample_nearest(const T* x, T* y, i64 n, i64 h, i64 w, i64 c, i64 factor) {
    EACH(i, n) {
        i64 ow = i / c % (w * factor);
        i64 oh = i / c / (w * factor) % (h * factor);
        i64 b = i / c / (w * factor) / (h * factor);
        y[i] = x[((b * h + oh / factor) * w + ow / factor) * c + i % c];
    }
}

template <typename T> __device__ __forceinline__ void upsample_nearest_bwd(const T* dy, T* dx, i64 n, i64 h, i64 w, i64 c, i64 factor) {
    EACH(i, n) {
        i64 row = i / c / w;
        float sum = 0;
#pragma unroll 1
        for (i64 a = 0; a < factor; a++) {
#pragma unroll 1
            for (i64 b = 0; b < factor; b++) {
                sum += to_float(dy[((row * factor + a) * w * factor + i / c % w * factor + b) * c + i % c]);
            }
        }
        dx[i] = from_float<T>(sum);
    }
}

// One axis: `in` pixels become `out`; a filter of `radius` 1 (bilinear) or 2 (bicubic).
struct Axis {
    i64 in, out, radius, antialias;
};

__device__ __forceinline__ double filter(const Axis& x, double distance) {
    double d = fabs(distance);
    if (x.radius == 1) {
        return d < 1 ? 1 - d : 0;
    }
    double a = x.antialias ? -0.5 : -0.75;
    return d < 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
}

// The pixels that output `o` reads: from, to (exclusive), before clamping when not antialiased; its position; the sum of its weights.
struct Window {
    int from, to;
    double centre, scale, sum;
};

__device__ __forceinline__ Window window(const Axis& x, int o) {
    Window w;
    double middle = (o + 0.5) * x.in / x.out;
    if (!x.antialias) {
        w.centre = middle - 0.5;
        w.from = (int) floor(w.centre) - (int) x.radius + 1;
        w.to = w.from + 2 * (int) x.radius;
        w.scale = 1;
        w.sum = 1;
        return w;
    }
    w.scale = x.in > x.out ? (double) x.in / x.out : 1;
    double support = w.scale * x.radius;
    w.centre = middle - 0.5;
    w.from = max(0, (int) (middle - support + 0.5));
    w.to = min((int) x.in, (int) (middle + support + 0.5));
    w.sum = 0;
#pragma unroll 1
    for (int t = w.from; t < w.to; t++) {
        w.sum += filter(x, (t - w.centre) / w.scale);
    }
    return w;
}

__device__ __forceinline__ float tap(const Axis& x, const Window& w, int t) {
    return (float) (filter(x, (t - w.centre) / w.scale) / w.sum);
}

__device__ __forceinline__ int clamped(const Axis& x, int t) { return max(0, min((int) x.in - 1, t)); }

// What output `o` takes of input `i`.
__device__ __forceinline__ float weight(const Axis& x, int o, int i) {
    Window w = window(x, o);
    float sum = 0;
#pragma unroll 1
    for (int t = w.from; t < w.to; t++) {
        if (clamped(x, t) == i) {
            sum += tap(x, w, t);
        }
    }
    return sum;
}

template <typename T> __device__ __forceinline__ void resize(const T* x, T* y, i64 n, i64 c, Axis rows, Axis columns) {
    EACH(i, n) {
        Window across = window(columns, (int) (i / c % columns.out));
        Window down = window(rows, (int) (i / c / columns.out % rows.out));
        const T* image = x + i / c / columns.out / rows.out * rows.in * columns.in * c + i % c;
        float sum = 0;
#pragma unroll 1
        for (int h = down.from; h < down.to; h++) {
            float row = 0;
#pragma unroll 1
            for (int w = across.from; w < across.to; w++) {
                row += tap(columns, across, w) * to_float(image[(clamped(rows, h) * columns.in + clamped(columns, w)) * c]);
            }
            sum += tap(rows, down, h) * row;
        }
        y[i] = from_float<T>(sum);
    }
}

// Outputs that may read input i: those whose window, widened by a pixel, holds it.
__device__ __forceinline__ int first_reader(const Axis& x, int i, double support) {
    return max(0, (int) floor((i - support - 1) * x.out / x.in) - 1);
}

__device__ __forceinline__ int last_reader(const Axis& x, int i, double support) {
    return min((int) x.out - 1, (int) ceil((i + support + 2) * x.out / x.in));
}

__device__ __forceinline__ double support(const Axis& x) {
    return x.radius * (x.antialias && x.in > x.out ? (double) x.in / x.out : 1);
}

template <typename T> __device__ __forceinline__ void resize_bwd(const T* dy, T* dx, i64 n, i64 c, Axis rows, Axis columns) {
    EACH(i, n) {
        int w = (int) (i / c % columns.in);
        int h = (int) (i / c / columns.in % rows.in);
        const T* image = dy + i / c / columns.in / rows.in * rows.out * columns.out * c + i % c;
        float sum = 0;
#pragma unroll 1
        for (int oh = first_reader(rows, h, support(rows)); oh <= last_reader(rows, h, support(rows)); oh++) {
            float down = weight(rows, oh, h);
            if (down != 0) {
                float row = 0;
#pragma unroll 1
                for (int ow = first_reader(columns, w, support(columns)); ow <= last_reader(columns, w, support(columns)); ow++) {
                    row += weight(columns, ow, w) * to_float(image[(oh * columns.out + ow) * c]);
                }
                sum += down * row;
            }
        }
        dx[i] = from_float<T>(sum);
    }
}

#define ENTRIES(T) \
    extern "C" __global__ void upsample_nearest_##T(const T* x, T* y, i64 n, i64 h, i64 w, i64 c, i64 factor) { upsample_nearest(x, y, n, h, w, c, factor); } \
    extern "C" __global__ void upsample_nearest_bwd_##T(const T* dy, T* dx, i64 n, i64 h, i64 w, i64 c, i64 factor) { \
        upsample_nearest_bwd(dy, dx, n, h, w, c, factor); \
    } \
    extern "C" __global__ void resize_##T(const T* x, T* y, i64 n, i64 c, Axis rows, Axis columns) { resize(x, y, n, c, rows, columns); } \
    extern "C" __global__ void resize_bwd_##T(const T* dy, T* dx, i64 n, i64 c, Axis rows, Axis columns) { resize_bwd(dy, dx, n, c, rows, columns); }
typedef float f32;
ENTRIES(f32)
ENTRIES(f16)
ENTRIES(bf16)
