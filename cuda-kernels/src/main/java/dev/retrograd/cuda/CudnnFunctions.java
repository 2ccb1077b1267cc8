package dev.retrograd.cuda;

import java.lang.foreign.MemorySegment;

/// The functions of cuDNN that a convolution needs, bound by java.lang.foreign: cuDNN 8 and 9 declare them alike. Handles, descriptors and other pointers are
/// segments, enumerations `int`.
///
/// Source: NVIDIA's cuDNN API, headers `cudnn_ops` and `cudnn_cnn` of cuDNN 9 (`cudnn_ops_infer`, `cudnn_cnn_infer` and `cudnn_cnn_train` of cuDNN 8).
final class CudnnFunctions {
    /// `CUDNN_TENSOR_NHWC`.
    private static final int CHANNELS_LAST = 1;
    /// `CUDNN_CROSS_CORRELATION`: the kernel is not turned.
    private static final int CROSS_CORRELATION = 1;
    /// `CUDNN_DATA_FLOAT`, of sums.
    private static final int FLOAT = 0;

    /// `cudnnGetVersion`.
    public interface Version {
        long call();
    }

    /// `cudnnGetErrorString`.
    public interface ErrorString {
        MemorySegment call(int status);
    }

    /// `cudnnCreate`, `cudnnDestroy`, and those of descriptors.
    public interface OnHandle {
        int call(MemorySegment handle);
    }

    /// `cudnnSetStream`.
    public interface SetStream {
        int call(MemorySegment handle, MemorySegment stream);
    }

    /// `cudnnSetTensor4dDescriptor`.
    public interface SetTensor {
        int call(MemorySegment descriptor, int format, int type, int n, int c, int h, int w);
    }

    /// `cudnnSetFilter4dDescriptor`.
    public interface SetFilter {
        int call(MemorySegment descriptor, int type, int format, int k, int c, int h, int w);
    }

    /// `cudnnSetConvolution2dDescriptor`.
    public interface SetConvolution {
        int call(MemorySegment descriptor, int padHeight, int padWidth, int strideHeight, int strideWidth, int dilationHeight, int dilationWidth, int mode, int computeType);
    }

    /// `cudnnSetConvolutionMathType`.
    public interface SetMathType {
        int call(MemorySegment descriptor, int mathType);
    }

    /// `cudnnGetConvolution…Algorithm_v7`.
    public interface Algorithms {
        int call(MemorySegment handle, MemorySegment first, MemorySegment second, MemorySegment convolution, MemorySegment result, int requested, MemorySegment returned, MemorySegment performances);
    }

    /// `cudnnGetConvolution…WorkspaceSize`.
    public interface WorkspaceSize {
        int call(MemorySegment handle, MemorySegment first, MemorySegment second, MemorySegment convolution, MemorySegment result, int algorithm, MemorySegment bytes);
    }

    /// `cudnnConvolution…`.
    public interface Convolve {
        int call(MemorySegment handle, MemorySegment alpha, MemorySegment first, MemorySegment firstData, MemorySegment second, MemorySegment secondData, MemorySegment convolution, int algorithm,
                MemorySegment workspace, long workspaceBytes, MemorySegment beta, MemorySegment result, MemorySegment resultData);
    }

    /// A convolution or one of its gradients.
    record InOneDirection(Algorithms algorithms, WorkspaceSize workspaceSize, Convolve convolve) {
        private static InOneDirection of(VendorLibrary library, String direction) {
            return new InOneDirection(library.bind(Algorithms.class, "cudnnGetConvolution" + direction + "Algorithm_v7"),
                    library.bind(WorkspaceSize.class, "cudnnGetConvolution" + direction + "WorkspaceSize"), library.bind(Convolve.class, "cudnnConvolution" + direction));
        }
    }

    final OnHandle create;
    final OnHandle destroy;
    final SetStream setStream;
    final OnHandle createTensor;
    final OnHandle destroyTensor;
    final OnHandle createFilter;
    final OnHandle destroyFilter;
    final OnHandle createConvolution;
    final OnHandle destroyConvolution;
    final InOneDirection forward;
    final InOneDirection backwardData;
    final InOneDirection backwardFilter;
    private final Version version;
    private final ErrorString errorString;
    private final SetTensor setTensor;
    private final SetFilter setFilter;
    private final SetConvolution setConvolution;
    private final SetMathType setMathType;

    /// @throws CudaException if the library lacks one
    CudnnFunctions(VendorLibrary library) {
        version = library.bind(Version.class, "cudnnGetVersion");
        errorString = library.bind(ErrorString.class, "cudnnGetErrorString");
        create = library.bind(OnHandle.class, "cudnnCreate");
        destroy = library.bind(OnHandle.class, "cudnnDestroy");
        setStream = library.bind(SetStream.class, "cudnnSetStream");
        createTensor = library.bind(OnHandle.class, "cudnnCreateTensorDescriptor");
        destroyTensor = library.bind(OnHandle.class, "cudnnDestroyTensorDescriptor");
        setTensor = library.bind(SetTensor.class, "cudnnSetTensor4dDescriptor");
        createFilter = library.bind(OnHandle.class, "cudnnCreateFilterDescriptor");
        destroyFilter = library.bind(OnHandle.class, "cudnnDestroyFilterDescriptor");
        setFilter = library.bind(SetFilter.class, "cudnnSetFilter4dDescriptor");
        createConvolution = library.bind(OnHandle.class, "cudnnCreateConvolutionDescriptor");
        destroyConvolution = library.bind(OnHandle.class, "cudnnDestroyConvolutionDescriptor");
        setConvolution = library.bind(SetConvolution.class, "cudnnSetConvolution2dDescriptor");
        setMathType = library.bind(SetMathType.class, "cudnnSetConvolutionMathType");
        forward = InOneDirection.of(library, "Forward");
        backwardData = InOneDirection.of(library, "BackwardData");
        backwardFilter = InOneDirection.of(library, "BackwardFilter");
    }

    /// 1000·major + 100·minor + patch level of cuDNN 8; from 9 on, ten times the major and the minor.
    long version() {
        return version.call();
    }

    /// @throws CudaException if the status is not 0
    @SuppressWarnings("restricted")
    void check(String what, int status) {
        if (status != 0) {
            throw new CudaException("cuda: " + what + ": cudnnStatus_t must be 0, got " + status + " (" + errorString.call(status).reinterpret(Long.MAX_VALUE).getString(0) + ")");
        }
    }

    /// Pixels in their order in memory, channels innermost.
    ///
    /// @param type `cudnnDataType_t`
    void setTensor(MemorySegment descriptor, int type, int n, int h, int w, int c) {
        check("cudnnSetTensor4dDescriptor", setTensor.call(descriptor, CHANNELS_LAST, type, n, c, h, w));
    }

    /// Kernels of all outputs, each with its input channels innermost.
    void setFilter(MemorySegment descriptor, int type, int outputs, int h, int w, int inputs) {
        check("cudnnSetFilter4dDescriptor", setFilter.call(descriptor, type, CHANNELS_LAST, outputs, inputs, h, w));
    }

    /// With float32 sums.
    void setConvolution(MemorySegment descriptor, int top, int left, int stride) {
        check("cudnnSetConvolution2dDescriptor", setConvolution.call(descriptor, top, left, stride, stride, 1, 1, CROSS_CORRELATION, FLOAT));
    }

    /// @param mathType `cudnnMathType_t`
    void setMathType(MemorySegment descriptor, int mathType) {
        check("cudnnSetConvolutionMathType", setMathType.call(descriptor, mathType));
    }
}
