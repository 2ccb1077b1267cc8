package dev.retrograd.cuda.emulator;

import dev.retrograd.cuda.emulator.Conversions.Extension;

/// Loads and stores. Every access is checked: inside its memory, aligned, and read only where something was written.
final class MemoryOps {
    /// Where generic addresses show a block's shared memory, a thread's own, and the arguments.
    static final long SHARED_WINDOW = 0x1_0000_0000L;
    static final long LOCAL_WINDOW = 0x2_0000_0000L;
    static final long PARAM_WINDOW = 0x3_0000_0000L;
    static final long WINDOW_BYTES = 0x1_0000_0000L;

    enum Space {
        GLOBAL, SHARED, LOCAL, PARAM, GENERIC
    }

    private MemoryOps() {
    }

    /// An address operand: a register or a constant, and a distance.
    ///
    /// @param slot of the register, in the wide file or the narrow one; −1 for none
    record Place(Space space, boolean wide, int slot, long offset) {
        long address(Warp w, int lane) {
            return slot < 0 ? offset : wide ? w.q[slot + lane] + offset : w.r[slot + lane] + (int) offset & 0xFFFFFFFFL;
        }
    }

    /// The memory that holds an access.
    static Region region(Warp w, Op op, int lane, Space space, long address, int bytes, boolean write) {
        if ((address & bytes - 1) != 0) {
            throw w.fault(op, lane, "misaligned address: " + bytes + " bytes at 0x" + Long.toHexString(address));
        }
        Region region = switch (space) {
            case GLOBAL -> global(w, op, lane, address, bytes, write);
            case SHARED -> w.block.shared;
            case LOCAL -> w.block.local(w.thread(lane));
            case PARAM -> throw new IllegalStateException("arguments are no region");
            case GENERIC -> address >= LOCAL_WINDOW && address < LOCAL_WINDOW + WINDOW_BYTES ? w.block.local(w.thread(lane))
                    : address >= SHARED_WINDOW && address < SHARED_WINDOW + WINDOW_BYTES ? w.block.shared : global(w, op, lane, address, bytes, write);
        };
        if (!region.holds(address - window(region, space), bytes)) {
            throw w.fault(op, lane, "out of bounds: " + (write ? "write of " : "read of ") + bytes + " bytes at byte " + address + " of " + region.name + " of " + region.data.length + " bytes");
        }
        return region;
    }

    private static long window(Region region, Space space) {
        return space != Space.GENERIC || region.base != 0 ? 0 : region instanceof SharedRegion ? SHARED_WINDOW : LOCAL_WINDOW;
    }

    static int at(Region region, Space space, long address) {
        return (int) (address - window(region, space) - region.base);
    }

    private static Region global(Warp w, Op op, int lane, long address, int bytes, boolean write) {
        Region last = w.lastGlobal;
        if (last != null && last.holds(address, bytes)) {
            return last;
        }
        Region found = w.block.memory.find(address, bytes);
        if (found == null) {
            throw w.fault(op, lane, "out of bounds: " + (write ? "write of " : "read of ") + bytes + " bytes at 0x" + Long.toHexString(address)
                    + " of global memory, " + w.block.memory.near(address));
        }
        w.lastGlobal = found;
        return found;
    }

    static KernelFault unwritten(Warp w, Op op, int lane, Region region, int at, int bytes) {
        return w.fault(op, lane, region.unwritten(at, bytes) + ": " + bytes + " bytes at byte " + at + " of " + region.name);
    }

    /// A load of one or several values per lane; the whole must be aligned to its size.
    static final class Load extends Op {
        private final Place place;
        private final Extension type;
        private final int bytes;
        private final boolean wide;
        private final int[] targets;

        /// @param wide whether the targets are 64-bit registers
        Load(Place place, String type, boolean wide, int... targets) {
            this.place = place;
            this.type = Extension.of(type);
            bytes = PtxTypes.bytes(type);
            this.wide = wide;
            this.targets = targets;
        }

        @Override void run(Warp w, int mask) {
            int all = bytes * targets.length;
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                long address = place.address(w, l);
                Region region = region(w, this, l, place.space, address, all, false);
                int i = at(region, place.space, address);
                region.reading(w, this, l, i, all);
                if (!region.isWritten(i, all)) {
                    throw unwritten(w, this, l, region, i, all);
                }
                for (int target : targets) {
                    if (bytes == 4 && !wide) {
                        w.r[target + l] = (int) Region.INTS.get(region.data, i);
                    } else {
                        put(w, target + l, region.get(i, bytes));
                    }
                    i += bytes;
                }
            }
        }

        private void put(Warp w, int element, long bits) {
            long value = type.extend(bits);
            if (wide) {
                w.q[element] = value;
            } else {
                w.r[element] = (int) value;
            }
        }
    }

    /// A store of one or several values per lane.
    static final class Store extends Op {
        private final Place place;
        private final int bytes;
        private final boolean wide;
        private final int[] sources;

        Store(Place place, String type, boolean wide, int... sources) {
            this.place = place;
            bytes = PtxTypes.bytes(type);
            this.wide = wide;
            this.sources = sources;
        }

        @Override void run(Warp w, int mask) {
            int all = bytes * sources.length;
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                long address = place.address(w, l);
                Region region = region(w, this, l, place.space, address, all, true);
                int i = at(region, place.space, address);
                region.writing(w, this, l, i, all);
                region.markWritten(i, all);
                for (int source : sources) {
                    region.set(i, bytes, wide ? w.q[source + l] : w.r[source + l]);
                    i += bytes;
                }
            }
        }
    }

    /// A load from the arguments of the launch.
    static final class LoadParameter extends Op {
        private final Place place;
        private final Extension type;
        private final int bytes;
        private final boolean wide;
        private final int[] targets;

        LoadParameter(Place place, String type, boolean wide, int... targets) {
            this.place = place;
            this.type = Extension.of(type);
            bytes = PtxTypes.bytes(type);
            this.wide = wide;
            this.targets = targets;
        }

        @Override void run(Warp w, int mask) {
            if (place.slot < 0) {
                load(w, mask, place.offset);
                return;
            }
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                load(w, 1 << l, place.address(w, l));
            }
        }

        /// The same values for all lanes in the mask.
        private void load(Warp w, int mask, long address) {
            byte[] arguments = w.block.arguments;
            if (address < 0 || address + (long) bytes * targets.length > arguments.length) {
                throw w.fault(this, Integer.numberOfTrailingZeros(mask), "out of bounds: read of " + bytes * targets.length + " bytes at byte " + address + " of " + arguments.length + " bytes of arguments");
            }
            for (int k = 0; k < targets.length; k++) {
                long value = 0;
                for (int i = 0; i < bytes; i++) {
                    value |= (arguments[(int) address + k * bytes + i] & 0xFFL) << 8 * i;
                }
                value = type.extend(value);
                for (int m = mask; m != 0; m &= m - 1) {
                    int l = Integer.numberOfTrailingZeros(m);
                    if (wide) {
                        w.q[targets[k] + l] = value;
                    } else {
                        w.r[targets[k] + l] = (int) value;
                    }
                }
            }
        }
    }

    /// Reads, combines and writes in one step. `red` is an `atom` whose result goes to slot 0.
    static final class Atomic extends Op {
        private final Place place;
        private final String how;
        private final String type;
        private final Extension extension;
        private final int target;
        private final int[] operands;

        Atomic(Place place, String how, String type, int target, int... operands) {
            this.place = place;
            this.how = how;
            this.type = type;
            extension = Extension.of(type);
            this.target = target;
            this.operands = operands;
        }

        @Override void run(Warp w, int mask) {
            int bytes = PtxTypes.bytes(type);
            for (int m = mask; m != 0; m &= m - 1) {
                int l = Integer.numberOfTrailingZeros(m);
                long address = place.address(w, l);
                Region region = region(w, this, l, place.space, address, bytes, true);
                int i = at(region, place.space, address);
                if (!region.isWritten(i, bytes)) {
                    throw unwritten(w, this, l, region, i, bytes);
                }
                long old;
                synchronized (region) { // other blocks run beside this one
                    old = extension.extend(region.get(i, bytes));
                    region.set(i, bytes, combine(old, operand(w, 0, l), operands.length > 1 ? operand(w, 1, l) : 0));
                }
                if (bytes == 8) {
                    w.q[target + l] = old;
                } else {
                    w.r[target + l] = (int) old;
                }
            }
        }

        private long operand(Warp w, int k, int lane) {
            return extension.extend(extension.unused() == 0 ? w.q[operands[k] + lane] : w.r[operands[k] + lane]);
        }

        private long combine(long old, long x, long y) {
            return switch (how) {
                case "add" -> switch (type) {
                    case "f32" -> Float.floatToRawIntBits(Float.intBitsToFloat((int) old) + Float.intBitsToFloat((int) x));
                    case "f64" -> Double.doubleToRawLongBits(Double.longBitsToDouble(old) + Double.longBitsToDouble(x));
                    default -> old + x;
                };
                case "min" -> Math.min(old, x);
                case "max" -> Math.max(old, x);
                case "and" -> old & x;
                case "or" -> old | x;
                case "exch" -> x;
                case "cas" -> old == x ? y : old;
                default -> throw new PtxException("ptx, line " + line + ": unknown atomic operation " + how);
            };
        }
    }
}
