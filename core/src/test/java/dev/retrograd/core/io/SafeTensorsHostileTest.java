package dev.retrograd.core.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Damaged and hostile files: each is refused when it is opened, in one sentence that names the file and, where there is one, the tensor.
class SafeTensorsHostileTest {
    private static final String X = "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";

    private static void refuses(String message, byte[] content) {
        ModelFormatException e = assertThrows(ModelFormatException.class, () -> SafeTensors.of("m", content));
        assertEquals("m: " + message, e.getMessage());
    }

    private static void refuses(String message, String header, int dataBytes) {
        refuses(message, SafeTensorsTest.file(header, dataBytes));
    }

    private static String tensor(String dtype, String shape, String offsets) {
        return "{\"x\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
    }

    @Test void filesTooShortForTheirHeader() {
        refuses("a safetensors file starts with 8 bytes of header length, file has 0", new byte[0]);
        refuses("a safetensors file starts with 8 bytes of header length, file has 7", new byte[7]);
        refuses("the header must be a JSON object", new byte[8]);
        refuses("the header ends at byte 108, file has 20", ByteBuffer.allocate(20).order(ByteOrder.LITTLE_ENDIAN).putLong(100).array());
        refuses("the header must have at most 100000000 bytes, got 18446744073709551615 (not a safetensors file?)",
                ByteBuffer.allocate(20).putLong(-1).array());
        refuses("the header must have at most 100000000 bytes, got 100000001 (not a safetensors file?)",
                ByteBuffer.allocate(20).order(ByteOrder.LITTLE_ENDIAN).putLong(100_000_001).array());
    }

    @Test void truncatedAndProlongedFiles() {
        byte[] whole = SafeTensorsTest.file("{" + X + "}", 8);
        int headerEnd = whole.length - 8;
        refuses("tensor 'x' ends at byte " + whole.length + ", file has " + (whole.length - 1), Arrays.copyOf(whole, whole.length - 1));
        refuses("tensor 'x' ends at byte " + whole.length + ", file has " + headerEnd, Arrays.copyOf(whole, headerEnd));
        refuses("the last tensor must end with the file, ends at byte " + whole.length + ", file has " + (whole.length + 1), Arrays.copyOf(whole, whole.length + 1));
        refuses("the last tensor must end with the file, ends at byte 10, file has 11", "{}", 1);
    }

    @Test void headersThatAreNotTheRightJson() {
        refuses("the header must be a JSON object", "[]", 0);
        refuses("the header must end after its JSON object, got more", "{} {}", 0);
        refuses("tensor 'x' must be a JSON object, got VALUE_NUMBER_INT", "{\"x\":1}", 0);
        refuses("tensor 'x' must have dtype, shape and data_offsets", "{\"x\":{}}", 0);
        refuses("tensor 'x' must have one dtype, a string", tensor("1", "[2]", "[0,8]"), 8);
        refuses("tensor 'x' shape must be an array, got VALUE_STRING", tensor("\"F32\"", "\"2\"", "[0,8]"), 8);
        refuses("tensor 'x' must have 2 data_offsets, got 3", tensor("\"F32\"", "[2]", "[0,8,9]"), 8);
        refuses("__metadata__ must hold strings, got VALUE_NUMBER_INT for 'a'", "{\"__metadata__\":{\"a\":1}}", 0);
        byte[] notUtf8 = SafeTensorsTest.file("{\"y\":1}", 0);
        notUtf8[10] = (byte) 0xFF;
        refuses("the header must be UTF-8, got other bytes", notUtf8);
        ModelFormatException e = assertThrows(ModelFormatException.class, () -> SafeTensors.of("m", SafeTensorsTest.file("{\"x\":{\"dtype\":", 0)));
        assertEquals("m: the header must be JSON: Unexpected end-of-input", e.getMessage().substring(0, 51));
        String deep = "{\"x\":{\"y\":" + "[".repeat(5000);
        e = assertThrows(ModelFormatException.class, () -> SafeTensors.of("m", SafeTensorsTest.file(deep, 0)));
        assertEquals("m: the header must be JSON: Document nesting depth", e.getMessage().substring(0, 50));
    }

    @Test void duplicateKeys() {
        refuses("tensor names must differ, got 'x' twice", "{" + X + "," + X + "}", 8);
        refuses("tensor 'x' must have one dtype, a string", "{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
        refuses("tensor 'x' must have one shape, got two", "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
        refuses("tensor 'x' must have one data_offsets, got two", "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"data_offsets\":[0,8]}}", 8);
        refuses("__metadata__ keys must differ, got 'a' twice", "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0);
        refuses("the header must have one __metadata__, got two", "{\"__metadata__\":{},\"__metadata__\":{}}", 0);
    }

    @Test void offsetsThatOverlapOrLeaveHoles() {
        String header = "{" + X + ",\"y\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}";
        int start = 8 + header.length();
        refuses("tensor 'y' must start at byte " + (start + 8) + ", where the one before it ends, got byte " + (start + 4), header, 12);
        String hole = "{" + X + ",\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}}";
        start = 8 + hole.length();
        refuses("tensor 'y' must start at byte " + (start + 8) + ", where the one before it ends, got byte " + (start + 12), hole, 16);
        String shifted = tensor("\"F32\"", "[1]", "[4,8]");
        start = 8 + shifted.length();
        refuses("tensor 'x' must start at byte " + start + ", where the one before it ends, got byte " + (start + 4), shifted, 8);
        refuses("tensor 'x' must end after it starts, got data_offsets 8..0", tensor("\"F32\"", "[2]", "[8,0]"), 8);
    }

    @Test void sizesThatDoNotFitShapeAndType() {
        refuses("tensor 'x' [2] F32 takes 8 bytes, got 4", tensor("\"F32\"", "[2]", "[0,4]"), 4);
        refuses("tensor 'x' [2,0] F32 takes 0 bytes, got 4", tensor("\"F32\"", "[2,0]", "[0,4]"), 4);
        refuses("tensor 'x' has the unknown dtype 'F31'", tensor("\"F31\"", "[2]", "[0,8]"), 8);
        refuses("tensor 'x' must fill whole bytes, got 3 elements of 4 bits", tensor("\"F4\"", "[3]", "[0,2]"), 2);
        refuses("tensor 'x' shape must hold integers from 0 to 2^63 - 1, got '-2'", tensor("\"F32\"", "[-2]", "[0,8]"), 8);
        refuses("tensor 'x' shape must hold integers from 0 to 2^63 - 1, got '2.0'", tensor("\"F32\"", "[2.0]", "[0,8]"), 8);
        refuses("tensor 'x' data_offsets must hold integers from 0 to 2^63 - 1, got '9223372036854775808'", tensor("\"F32\"", "[2]", "[0,9223372036854775808]"), 8);
        String far = tensor("\"F32\"", "[2]", "[0,9223372036854775807]");
        refuses("tensor 'x' ends at byte " + Long.toUnsignedString(Long.MAX_VALUE + 8 + far.length()) + ", file has " + (8 + far.length() + 8), far, 8);
        refuses("tensor 'x' must have sizes below 2^31, got [2147483648]", tensor("\"F32\"", "[2147483648]", "[0,8]"), 8);
        refuses("tensor 'x' has too many elements, got sizes [2147483647, 2147483647, 2147483647]",
                tensor("\"F32\"", "[2147483647,2147483647,2147483647]", "[0,8]"), 8);
        refuses("tensor 'x' shape must hold at most 64 integers, got more", tensor("\"F32\"", "[" + "1,".repeat(64) + "1]", "[0,4]"), 4);
    }

    @Test void namesAreShownSafely() {
        refuses("tensor 'a?[31mb' must be a JSON object, got VALUE_NUMBER_INT", "{\"a\\u001b[31mb\":1}", 0);
        refuses("tensor '" + "n".repeat(200) + "…' must be a JSON object, got VALUE_NUMBER_INT", "{\"" + "n".repeat(1000) + "\":1}", 0);
    }

    @Test void pathsThatAreNoFiles(@TempDir Path folder) throws IOException {
        Path absent = folder.resolve("absent.safetensors");
        assertEquals(absent + ": a safetensors file is required, but there is none",
                assertThrows(ModelFormatException.class, () -> SafeTensors.open(absent)).getMessage());
        assertEquals(folder + ": a safetensors file is required, but this is none",
                assertThrows(ModelFormatException.class, () -> SafeTensors.open(folder)).getMessage());
        Path empty = Files.write(folder.resolve("empty"), "".getBytes(StandardCharsets.UTF_8));
        assertEquals(empty + ": a safetensors file starts with 8 bytes of header length, file has 0",
                assertThrows(ModelFormatException.class, () -> SafeTensors.open(empty)).getMessage());
    }
}
