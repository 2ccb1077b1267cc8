package dev.retrograd.cuda.emulator;

import dev.retrograd.core.DType;
import dev.retrograd.cuda.TensorMap;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/// The 128 bytes of a tensor map as this emulator understands them; what NVIDIA's driver writes is not public.
final class EncodedMap {
    private static final long MAGIC = 0x70614D726F736E65L;
    private static final int WORDS = 16;
    private static final int SIZES = 4;
    private static final int STRIDES = 9;
    private static final int BOX = 13;
    private static final int BOX_BITS = 12;
    private static final int STEPS = 14;
    private static final int STEP_BITS = 4;

    private EncodedMap() {
    }

    static long[] of(TensorMap map) {
        long[] words = new long[WORDS];
        words[0] = MAGIC;
        words[1] = map.address();
        words[2] = map.type().ordinal() | (long) map.swizzle().ordinal() << 32;
        words[3] = map.sizes().length;
        System.arraycopy(map.sizes(), 0, words, SIZES, map.sizes().length);
        System.arraycopy(map.strides(), 0, words, STRIDES, map.strides().length);
        for (int i = 0; i < map.box().length; i++) {
            words[BOX] |= (long) map.box()[i] << BOX_BITS * i;
            words[STEPS] |= (long) map.steps()[i] << STEP_BITS * i;
        }
        return words;
    }

    /// @param at byte at which the map begins
    /// @return the map, or null if there is none
    static TensorMap read(byte[] bytes, long at) {
        if (at < 0 || at + WORDS * (long) Long.BYTES > bytes.length) {
            return null;
        }
        long[] words = new long[WORDS];
        ByteBuffer.wrap(bytes, (int) at, WORDS * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().get(words);
        if (words[0] != MAGIC) {
            return null;
        }
        int rank = (int) words[3];
        return new TensorMap(DType.values()[(int) words[2]], words[1], Arrays.copyOfRange(words, SIZES, SIZES + rank), Arrays.copyOfRange(words, STRIDES, STRIDES + rank - 1),
                fields(words[BOX], rank, BOX_BITS), fields(words[STEPS], rank, STEP_BITS), TensorMap.Swizzle.values()[(int) (words[2] >>> 32)]);
    }

    private static int[] fields(long word, int count, int bits) {
        int[] fields = new int[count];
        Arrays.setAll(fields, i -> (int) (word >>> bits * i & (1 << bits) - 1));
        return fields;
    }
}
