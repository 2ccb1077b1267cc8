package dev.retrograd.cuda.emulator;

/// Sizes and kinds of PTX's scalar types.
final class PtxTypes {
    private PtxTypes() {
    }

    /// Bytes of one value of the type, named without its dot.
    static int bytes(String type) {
        return switch (type) {
            case "b8", "u8", "s8" -> 1;
            case "b16", "u16", "s16", "f16", "bf16" -> 2;
            case "b32", "u32", "s32", "f32", "tf32", "f16x2", "bf16x2" -> 4;
            case "b64", "u64", "s64", "f64" -> 8;
            default -> throw new PtxException("ptx: a known type is required, got ." + type);
        };
    }

    static boolean isType(String word) {
        return word.matches("[bus](8|16|32|64)|f(16|32|64)|bf16|tf32|(b?f16)x2");
    }

    static boolean signed(String type) {
        return type.startsWith("s");
    }

    static boolean floating(String type) {
        return type.startsWith("f") || type.startsWith("bf");
    }
}
