"""Writes a BERT of a safetensors file as an ONNX graph.

    python graph.py MODEL_FOLDER OUT.onnx

The graph has the inputs and outputs of the files on the hub: `input_ids`,
`attention_mask`, `token_type_ids`; `last_hidden_state`, or `logits` if there is
a classifier. No framework is needed for it, only `onnx`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.count = [], {}, 0

    def constant(self, name, value):
        self.constants.setdefault(name, numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def number(self, value, kind=np.float32):
        return self.constant(f"{kind.__name__}_{value}", np.array(value, dtype=kind))

    def integers(self, *values):
        return self.constant("shape_" + "_".join(map(str, values)), np.array(values, dtype=np.int64))

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        output = attributes.pop("output", f"t{self.count}")
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


def export(folder, out):
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    prefix = next(name for name in tensors if name.endswith("embeddings.word_embeddings.weight"))
    prefix = prefix.removesuffix("embeddings.word_embeddings.weight")
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    epsilon, size = config["layer_norm_eps"], hidden // heads
    g = Graph()

    def weight(name):
        return g.constant(name, tensors[prefix + name].astype(np.float32))

    def linear(x, name):
        matrix = g.constant(name + ".weight_t", tensors[prefix + name + ".weight"].astype(np.float32).T)
        return g.op("Add", g.op("MatMul", x, matrix), weight(name + ".bias"))

    def norm(x, name):
        return g.op("LayerNormalization", x, weight(name + ".weight"), weight(name + ".bias"), axis=-1, epsilon=epsilon)

    def gelu(x):
        erf = g.op("Erf", g.op("Div", x, g.number(float(np.sqrt(2)))))
        return g.op("Mul", g.op("Mul", x, g.op("Add", erf, g.number(1.0))), g.number(0.5))

    def split(x, order):
        return g.op("Transpose", g.op("Reshape", x, g.integers(0, 0, heads, size)), perm=order)

    length = g.op("Slice", g.op("Shape", "input_ids"), g.integers(1), g.integers(2))
    x = g.op("Gather", weight("embeddings.word_embeddings.weight"), "input_ids")
    kinds = g.op("Gather", weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
    table = weight("embeddings.position_embeddings.weight")
    positions = g.op("Slice", table, g.integers(0), length, g.integers(0))
    x = norm(g.op("Add", g.op("Add", x, kinds), positions), "embeddings.LayerNorm")
    mask = g.op("Unsqueeze", g.op("Cast", "attention_mask", to=TensorProto.FLOAT), g.integers(1, 2))
    mask = g.op("Mul", g.op("Sub", g.number(1.0), mask), g.number(-10000.0))
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        query = split(linear(x, name + "attention.self.query"), [0, 2, 1, 3])
        key = split(linear(x, name + "attention.self.key"), [0, 2, 3, 1])
        value = split(linear(x, name + "attention.self.value"), [0, 2, 1, 3])
        scores = g.op("Div", g.op("MatMul", query, key), g.number(float(np.sqrt(size))))
        scores = g.op("Softmax", g.op("Add", scores, mask), axis=-1)
        attended = g.op("Transpose", g.op("MatMul", scores, value), perm=[0, 2, 1, 3])
        attended = g.op("Reshape", attended, g.integers(0, 0, hidden))
        attended = linear(attended, name + "attention.output.dense")
        x = norm(g.op("Add", attended, x), name + "attention.output.LayerNorm")
        inner = linear(gelu(linear(x, name + "intermediate.dense")), name + "output.dense")
        x = norm(g.op("Add", inner, x), name + "output.LayerNorm")

    if "classifier.weight" in tensors:
        first = g.op("Gather", x, g.number(0, np.int64), axis=1)
        pooled = g.op("Tanh", linear(first, "pooler.dense"))
        matrix = g.constant("classifier.weight_t", tensors["classifier.weight"].astype(np.float32).T)
        bias = g.constant("classifier.bias", tensors["classifier.bias"].astype(np.float32))
        g.op("Add", g.op("MatMul", pooled, matrix), bias, output="logits")
        result = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", matrix_columns(tensors)])
    else:
        g.op("Identity", x, output="last_hidden_state")
        result = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", hidden])
    names = ["input_ids", "attention_mask", "token_type_ids"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in names]
    graph = helper.make_graph(g.nodes, "bert", inputs, [result], list(g.constants.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_suffix(".part")
    onnx.save(model, temporary)
    temporary.rename(out)


def matrix_columns(tensors):
    return tensors["classifier.weight"].shape[0]


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
