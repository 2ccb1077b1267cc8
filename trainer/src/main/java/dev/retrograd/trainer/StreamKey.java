package dev.retrograd.trainer;

/// What a random stream of a run is for; part of its key, so that no two uses share numbers.
enum StreamKey {
    NOISE(1), METHOD(2), LORA(3);

    private final long code;

    StreamKey(long code) {
        this.code = code;
    }

    long code() {
        return code;
    }
}
