package dev.retrograd.trainer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.retrograd.core.io.ModelFormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class BytePlanesTest {
    private static byte[] file(String header, int... data) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer file = ByteBuffer.allocate(Long.BYTES + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json);
        for (int b : data) {
            file.put((byte) b);
        }
        return file.array();
    }

    private static byte[] end(byte[] file, int count) {
        return Arrays.copyOfRange(file, file.length - count, file.length);
    }

    @Test void bringsTheBytesOfEachPlaceTogetherAcrossTensors() throws ModelFormatException {
        byte[] file = file("{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[4,6]}}", 1, 11, 2, 12, 3, 13);
        byte[] planes = BytePlanes.split("halves", file);
        assertEquals(file.length, planes.length);
        assertArrayEquals(new byte[] {1, 2, 3, 11, 12, 13}, end(planes, 6));
        assertArrayEquals(file, BytePlanes.join("halves", planes));
    }

    @Test void splitsFourByteNumbersIntoFourPlanes() throws ModelFormatException {
        byte[] file = file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 1, 2, 3, 4, 11, 12, 13, 14);
        byte[] planes = BytePlanes.split("floats", file);
        assertArrayEquals(new byte[] {1, 11, 2, 12, 3, 13, 4, 14}, end(planes, 8));
        assertArrayEquals(file, BytePlanes.join("floats", planes));
    }

    @Test void leavesAFileOfMixedTypesAsItIs() throws ModelFormatException {
        byte[] file = file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[4,6]}}", 1, 2, 3, 4, 5, 6);
        assertArrayEquals(file, BytePlanes.split("mixed", file));
    }

    @Test void refusesWhatIsNoSafetensorsFile() {
        assertThrows(ModelFormatException.class, () -> BytePlanes.split("torn", new byte[] {1, 2, 3}));
    }
}
