// The operands of a convolution and of its gradients as matrices (operands.cuh), for convolution.cu and tensor_convolution.cuh.
#pragma once
#include "operands.cuh"

// n / d by a multiplication, for 0 <= n < 2^31: magic = ceil(2^(31 + ceil(log2 d)) / d), 0 for d = 1.
struct Divisor {
    unsigned d, magic, shift;
    __device__ __forceinline__ int of(int n) const { return magic == 0 ? n : (int) (__umulhi((unsigned) n, magic) >> shift); }
};

// x [b, h, w, i], y [b, ho, wo, o], w [o, kh, kw, i]; stride s, `top` and `left` zero rows and columns before the image.
struct Geometry {
    int b, h, w, i, ho, wo, o, kh, kw, s, top, left;
    Divisor by_h, by_w, by_i, by_ho, by_wo, by_o, by_kw, by_s;
};

// A pixel under a kernel's first tap, of image `base`.
struct Corner {
    i64 base;
    int y, x;
    bool inside;
};

// x under the kernel: line (b, ho, wo), element (kh, kw, i).
struct Patches {
    Data data;
    const Geometry& g;
    typedef Corner Line;

    __device__ __forceinline__ Line line(int j) const {
        int q = g.by_wo.of(j);
        int b = g.by_ho.of(q);
        return {(i64) b * g.h * g.w * g.i, (q - b * g.ho) * g.s - g.top, (j - q * g.wo) * g.s - g.left, b < g.b};
    }
    __device__ __forceinline__ int run(const Line& l, int n, i64& at) const {
        int tap = g.by_i.of(n);
        int c = n - tap * g.i;
        int kh = g.by_kw.of(tap);
        int y = l.y + kh;
        int x = l.x + tap - kh * g.kw;
        at = l.base + ((i64) y * g.w + x) * g.i + c;
        return l.inside && kh < g.kh && y >= 0 && y < g.h && x >= 0 && x < g.w ? g.i - c : 0;
    }
};

// dy over the kernel: line (b, h, w), element (kh, kw, o).
struct Spread {
    Data data;
    const Geometry& g;
    typedef Corner Line;

    __device__ __forceinline__ Line line(int j) const {
        int q = g.by_w.of(j);
        int b = g.by_h.of(q);
        return {(i64) b * g.ho * g.wo * g.o, q - b * g.h + g.top, j - q * g.w + g.left, b < g.b};
    }
    __device__ __forceinline__ int run(const Line& l, int n, i64& at) const {
        int tap = g.by_o.of(n);
        int c = n - tap * g.o;
        int kh = g.by_kw.of(tap);
        int y = l.y - kh;
        int x = l.x - tap + kh * g.kw;
        int yo = g.by_s.of(y < 0 ? 0 : y);
        int xo = g.by_s.of(x < 0 ? 0 : x);
        at = l.base + ((i64) yo * g.wo + xo) * g.o + c;
        return l.inside && kh < g.kh && yo * g.s == y && xo * g.s == x && yo < g.ho && xo < g.wo ? g.o - c : 0;
    }
};

// w as [(kh, kw, o), i].
struct TurnedWeight {
    Data data;
    const Geometry& g;
    struct Line {
        i64 at;
        bool inside;
    };

    __device__ __forceinline__ Line line(int j) const {
        int tap = g.by_o.of(j);
        return {((i64) (j - tap * g.o) * g.kh * g.kw + tap) * g.i, tap < g.kh * g.kw};
    }
    __device__ __forceinline__ int run(const Line& l, int n, i64& at) const {
        at = l.at + n;
        return l.inside ? g.i - n : 0;
    }
};

__device__ __forceinline__ Plain lines_of(const Data& d, i64 lines, i64 length) { return {d, length, 0, lines, length, 0}; }
