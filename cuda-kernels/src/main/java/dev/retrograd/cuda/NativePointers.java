package dev.retrograd.cuda;

import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUstream;

/// JCuda's pointers with their addresses in sight.
final class NativePointers {
    private NativePointers() {
    }

    /// A device address for JCuda.
    static CUdeviceptr device(long address) {
        return new CUdeviceptr().withByteOffset(address);
    }

    /// Receives a device address from JCuda.
    static final class Device extends CUdeviceptr {
        long address() {
            return getNativePointer();
        }
    }

    /// A kernel, whose handle functions that JCuda lacks take.
    static final class Function extends CUfunction {
        long address() {
            return getNativePointer();
        }
    }

    /// A stream, likewise.
    static final class Stream extends CUstream {
        long address() {
            return getNativePointer();
        }
    }

    /// A host address, to JCuda or from it.
    static final class Host extends Pointer {
        Host() {
        }

        Host(long address) {
            super(address);
        }

        long address() {
            return getNativePointer();
        }
    }
}
