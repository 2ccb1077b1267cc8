package dev.retrograd.cuda;

import dev.retrograd.core.NoDeviceException;

/// What a host must have for this backend to run there.
public final class Requirements {
    /// CUDA 11.4: the oldest driver that has every function which is called; its compiler reads the PTX, which is older (7.0).
    static final int DRIVER = 11040;
    private static final String DRIVER_PACKAGE = "470.42";
    /// What the PTX is for.
    static final int COMPUTE_CAPABILITY = 80;
    /// CUDA 12.0, the first that compiles PTX 8.0.
    private static final int HOPPER_DRIVER = 12000;
    /// What {@link CudaDriver#encode} and clusters of blocks need.
    private static final int TENSOR_MAPS = 90;
    /// Less holds the driver's own data and the code, and hardly a model.
    static final long FREE_BYTES = 1L << 30;
    private static final double GIB = 1L << 30;

    private Requirements() {
    }

    /// @param version as `cuDriverGetVersion` gives it: 1000 times the major number of CUDA plus ten times the minor one
    /// @throws NoDeviceException if the driver is too old
    static void driver(int version) {
        if (version < DRIVER) {
            throw new NoDeviceException("cuda: the NVIDIA driver must be for CUDA " + cuda(DRIVER) + " or newer (version " + DRIVER_PACKAGE + "), got one for CUDA " + cuda(version));
        }
    }

    /// @param devices of the host, 1 or more
    /// @throws NoDeviceException if none has this ordinal
    static void present(String kind, int ordinal, int devices) {
        if (ordinal < 0 || ordinal >= devices) {
            throw new NoDeviceException(kind + ": this host has " + kind + ":0 " + (devices == 1 ? "only" : "to " + kind + ":" + (devices - 1)) + ", got " + kind + ":" + ordinal);
        }
    }

    /// @throws NoDeviceException if the device is too old
    static void device(CudaDriver.Device device) {
        if (device.computeCapability() < COMPUTE_CAPABILITY) {
            throw new NoDeviceException("cuda: compute capability must be " + capability(COMPUTE_CAPABILITY) + " or more (Ampere), got " + capability(device.computeCapability())
                    + " of " + device.name());
        }
    }

    /// @throws CudaException if the device cannot copy boxes of tensors
    public static void tensorMaps(CudaDriver.Device device) {
        if (device.computeCapability() < TENSOR_MAPS) {
            throw new CudaException("cuda: tensor maps: compute capability must be " + capability(TENSOR_MAPS) + " or more (Hopper), got " + capability(device.computeCapability())
                    + " of " + device.name());
        }
    }

    /// Whether the device runs kernels for compute capability 9.0, and its driver compiles them.
    static boolean runsHopper(CudaDriver.Device device) {
        return device.computeCapability() == Ring.COMPUTE_CAPABILITY && device.driverVersion() >= HOPPER_DRIVER;
    }

    /// @param option that asks for kernels for compute capability 9.0
    /// @throws CudaException unless the device runs them, and its driver compiles them
    static void hopper(CudaDriver.Device device, String option) {
        if (!runsHopper(device)) {
            throw new CudaException("cuda: " + option + " hopper needs compute capability " + capability(Ring.COMPUTE_CAPABILITY) + " and a driver for CUDA " + cuda(HOPPER_DRIVER)
                    + " or newer, got " + describe(device) + "; use " + option + " ptx");
        }
    }

    /// @throws NoDeviceException if too little memory is free
    static void memory(CudaDriver.Device device, long freeBytes) {
        if (freeBytes < FREE_BYTES) {
            throw new NoDeviceException("cuda: " + gib(FREE_BYTES) + " of free memory is the least, got " + gib(freeBytes) + " free of " + gib(device.memoryBytes()) + " of " + device.name());
        }
    }

    /// What a device is, for people.
    static String describe(CudaDriver.Device device) {
        return device.name() + ", compute capability " + capability(device.computeCapability()) + ", " + gib(device.memoryBytes()) + ", driver for CUDA " + cuda(device.driverVersion());
    }

    private static String cuda(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    private static String capability(int number) {
        return number / 10 + "." + number % 10;
    }

    private static String gib(long bytes) {
        return "%.1f GiB".formatted(bytes / GIB);
    }
}
