/// The CUDA backend: {@link dev.retrograd.cuda.CudaBackend} on {@link dev.retrograd.cuda.CudaDriver}.
///
/// A family of kernels is a trio: `softmax.cu` in `src/main/cuda`, `softmax.ptx` beside this package's classes, and a class that launches
/// them. To add a kernel: write the entry in a `.cu` file (header: formula, shapes, grid, shared bytes, accumulation); run `PtxBuild` (in
/// the test sources), which writes the PTX; write the method that checks shapes, writes the arguments in the order of the entry's
/// parameters and calls `Launcher`; hand on to it from `CudaBackend`. `CudaContractTest` then runs the contract's cases on the PTX emulator,
/// and fails for an entry that no case launches.
package dev.retrograd.cuda;
