package dev.retrograd.core;

/// Element type of a tensor, with the name that safetensors files give it.
///
/// Arithmetic runs in `F32`, elementwise latent arithmetic also in `F64`. `F16` and `BF16` are for weights at rest (every
/// backend) and for activations ({@link Backend#activations()}). Integers carry token ids and file contents.
public enum DType {
    F64(8, true), F32(4, true), F16(2, true), BF16(2, true), I64(8, false), I32(4, false), U8(1, false);

    private final int bytes;
    private final boolean floating;

    DType(int bytes, boolean floating) {
        this.bytes = bytes;
        this.floating = floating;
    }

    /// Bytes of one element.
    public int bytes() {
        return bytes;
    }

    /// Whether values are floating point, hence differentiable.
    public boolean floating() {
        return floating;
    }

    /// The value of a bfloat16 bit pattern.
    public static float bf16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /// The nearest bfloat16 (ties to even) of a float32; NaN stays NaN.
    public static short floatToBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }
}
