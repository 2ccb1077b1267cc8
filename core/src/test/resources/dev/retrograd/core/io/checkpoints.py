"""Writes zip.pt and legacy.pth as torch.save does, with Python's own pickler and stand-ins for torch's classes (no torch needed).

python3 checkpoints.py     (Python 3.11; the container formats are those of torch/serialization.py, 2.0)
"""
import collections, io, pickle, struct, sys, types, zipfile

torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
sys.modules.update({"torch": torch, "torch._utils": utils})


def storage_type(name, fmt):
    cls = type(name, (), {"__module__": "torch", "fmt": fmt})
    setattr(torch, name, cls)
    return cls


Float, Half, Long = storage_type("FloatStorage", "f"), storage_type("HalfStorage", "e"), storage_type("LongStorage", "q")


def function(module, name):
    def f(*args):
        raise RuntimeError
    f.__name__ = f.__qualname__ = name
    f.__module__ = module.__name__
    setattr(module, name, f)
    return f


rebuild, parameter = function(utils, "_rebuild_tensor_v2"), function(utils, "_rebuild_parameter")


class Storage:
    def __init__(self, key, cls, values):
        self.key, self.cls, self.values = key, cls, values

    def bytes(self):
        return struct.pack("<%d%s" % (len(self.values), self.cls.fmt), *self.values)


class Tensor:
    def __init__(self, storage, offset, size, stride):
        self.args = (storage, offset, size, stride, False, collections.OrderedDict())

    def __reduce_ex__(self, protocol):
        return rebuild, self.args


class Parameter:
    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce_ex__(self, protocol):
        return parameter, (self.tensor, True, collections.OrderedDict())


class Pickler(pickle.Pickler):
    legacy = False

    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            id = ("storage", obj.cls, obj.key, "cpu", len(obj.values))
            return id + (None,) if self.legacy else id
        return None


def pickled(value, legacy):
    out = io.BytesIO()
    pickler = Pickler(out, protocol=2)
    pickler.legacy = legacy
    pickler.dump(value)
    return out.getvalue()


a = Storage("0", Float, [float(i) for i in range(12)])
b = Storage("1", Half, [0.5, -2.0, 65504.0])
c = Storage("2", Long, [3, -1, 1 << 40])
state = collections.OrderedDict()
state["matrix"] = Tensor(a, 0, (3, 4), (4, 1))
state["transposed"] = Tensor(a, 0, (4, 3), (1, 4))
state["row"] = Tensor(a, 8, (4,), (1,))
state["tied"] = Parameter(state["matrix"])
state["half"] = Tensor(b, 0, (3,), (1,))
state["long"] = Tensor(c, 0, (3,), (1,))
state["scalar"] = Tensor(a, 7, (), ())
state.note = "an attribute, like torch's _metadata"
top = {"epoch": 3, "lr": 1e-3, "name": "caf\u00e9", "flags": [True, False, None], "optimizer": {0: {"exp_avg": Tensor(a, 0, (2,), (1,))}}, "state_dict": state}

with zipfile.ZipFile("zip.pt", "w", zipfile.ZIP_STORED) as z:
    def put(name, data):
        z.writestr(zipfile.ZipInfo("archive/" + name), data)
    put("data.pkl", pickled(top, False))
    put("byteorder", b"little")
    for s in (a, b, c):
        put("data/" + s.key, s.bytes())
    put("version", b"3\n")

with open("legacy.pth", "wb") as f:
    for part in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}):
        f.write(pickle.dumps(part, protocol=2))
    f.write(pickled(top, True))
    f.write(pickle.dumps(["0", "1", "2"], protocol=2))
    for s in (a, b, c):
        f.write(struct.pack("<q", len(s.values)) + s.bytes())
