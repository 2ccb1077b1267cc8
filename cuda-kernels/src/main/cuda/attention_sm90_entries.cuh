// The entries of attention on warpgroups, for one type.
#pragma once
#include "attention_sm90_backward.cuh"

#define MAP(x) const __grid_constant__ TensorMap x
#define ENTRY extern "C" __global__ void __launch_bounds__(384, 1)
#define FORWARD(T, WIDTH, STAGES) \
    ENTRY attention_sm90_fwd_##WIDTH##_##T(MAP(q), MAP(k), MAP(v), T* y, float* lse, const Heads h, float scale) { forward<WIDTH, STAGES>(q, k, v, y, lse, h, scale); }
#define BACKWARD(T, WIDTH, STAGES) \
    ENTRY attention_sm90_bwd_q_##WIDTH##_##T(MAP(q), MAP(dy), MAP(k), MAP(v), const float* lse, const float* delta, T* dq, const Heads h, float scale) { \
        backward<false, WIDTH, STAGES>(q, dy, k, v, lse, delta, dq, (T*) nullptr, h, scale); \
    } \
    ENTRY attention_sm90_bwd_kv_##WIDTH##_##T(MAP(k), MAP(v), MAP(q), MAP(dy), const float* lse, const float* delta, T* dk, T* dv, const Heads h, float scale) { \
        backward<true, WIDTH, STAGES>(k, v, q, dy, lse, delta, dk, dv, h, scale); \
    }
#define ENTRIES(T) FORWARD(T, 48, 6) FORWARD(T, 64, 6) FORWARD(T, 80, 4) FORWARD(T, 160, 3) BACKWARD(T, 48, 6) BACKWARD(T, 64, 6) BACKWARD(T, 80, 4)
