/// The CUDA backend: {@link dev.retrograd.cuda.CudaBackend} on {@link dev.retrograd.cuda.CudaDriver}.
///
/// A family of kernels is a trio: `image.cu` in `src/main/cuda`, `image.ptx.xz` beside this package's classes, and a class that launches
/// them. The module's README follows one kernel from end to end.
package dev.retrograd.cuda;
