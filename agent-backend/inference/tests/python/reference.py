"""What the models should answer, in double precision and by the book.

    python reference.py embed MODEL_FOLDER   < texts.json
    python reference.py score MODEL_FOLDER   < {"query": …, "texts": […]}
    python reference.py onnx  MODEL_FOLDER FILE.onnx < texts.json
    python reference.py speed MODEL_FOLDER FILE.onnx THREADS < {"texts": […], "questions": […], "rounds": N}
    python reference.py tiny  FOLDER KIND     writes a random model with 3 layers

`embed` and `score` are written with numpy alone; `onnx` and `speed` ask
onnxruntime. All tokenize with the `tokenizers` package.
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

erf = np.vectorize(math.erf)


def settings(folder, name):
    path = folder / name
    return json.loads(path.read_text()) if path.exists() else {}


def tokenizer(folder):
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tok.no_padding()
    window = settings(folder, "sentence_bert_config.json").get("max_seq_length")
    tok.enable_truncation(window or settings(folder, "tokenizer_config.json")["model_max_length"])
    return tok


def load(folder):
    from safetensors.numpy import load_file

    tensors = {name: value.astype(np.float64) for name, value in load_file(folder / "model.safetensors").items()}
    suffix = "embeddings.word_embeddings.weight"
    prefix = next(name for name in tensors if name.endswith(suffix)).removesuffix(suffix)
    return settings(folder, "config.json"), tensors, prefix


def norm(x, weight, bias, epsilon):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def attention(query, key, value, heads, turn=None):
    length, hidden = query.shape
    size = hidden // heads
    query, key, value = (x.reshape(length, heads, size).transpose(1, 0, 2) for x in (query, key, value))
    if turn is not None:
        query, key = turn(query), turn(key)
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(size)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    return (scores @ value).transpose(1, 0, 2).reshape(length, hidden)


def bert(folder, encodings):
    config, tensors, prefix = load(folder)
    epsilon, heads = config["layer_norm_eps"], config["num_attention_heads"]

    def weight(name):
        return tensors[prefix + name]

    def linear(x, name):
        return x @ weight(name + ".weight").T + weight(name + ".bias")

    def normed(x, name):
        return norm(x, weight(name + ".weight"), weight(name + ".bias"), epsilon)

    for encoding in encodings:
        x = weight("embeddings.word_embeddings.weight")[encoding.ids]
        x = x + weight("embeddings.token_type_embeddings.weight")[encoding.type_ids]
        x = normed(x + weight("embeddings.position_embeddings.weight")[: len(x)], "embeddings.LayerNorm")
        for layer in range(config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}."
            parts = (linear(x, f"{name}attention.self.{part}") for part in ("query", "key", "value"))
            attended = linear(attention(*parts, heads), name + "attention.output.dense")
            x = normed(x + attended, name + "attention.output.LayerNorm")
            inner = linear(x, name + "intermediate.dense")
            inner = 0.5 * inner * (1 + erf(inner / math.sqrt(2)))
            x = normed(x + linear(inner, name + "output.dense"), name + "output.LayerNorm")
        yield x, lambda first: np.tanh(linear(first, "pooler.dense")), tensors


def nomic(folder, encodings):
    config, tensors, prefix = load(folder)
    epsilon, heads, hidden = config["layer_norm_epsilon"], config["n_head"], config["n_embd"]
    size = hidden // heads
    frequencies = config["rotary_emb_base"] ** -(np.arange(0, size, 2) / size)

    def weight(name):
        return tensors[prefix + name]

    def normed(x, name):
        return norm(x, weight(name + ".weight"), weight(name + ".bias"), epsilon)

    def turn(x):
        angles = np.concatenate([np.outer(np.arange(x.shape[1]), frequencies)] * 2, -1)
        turned = np.concatenate([-x[..., size // 2 :], x[..., : size // 2]], -1)
        return x * np.cos(angles) + turned * np.sin(angles)

    for encoding in encodings:
        x = weight("embeddings.word_embeddings.weight")[encoding.ids]
        x = normed(x + weight("embeddings.token_type_embeddings.weight")[encoding.type_ids], "emb_ln")
        for layer in range(config["n_layer"]):
            name = f"encoder.layers.{layer}."
            parts = np.split(x @ weight(name + "attn.Wqkv.weight").T, 3, -1)
            attended = attention(*parts, heads, turn) @ weight(name + "attn.out_proj.weight").T
            x = normed(x + attended, name + "norm1")
            gate = x @ weight(name + "mlp.fc12.weight").T
            inner = x @ weight(name + "mlp.fc11.weight").T * gate / (1 + np.exp(-gate))
            x = normed(x + inner @ weight(name + "mlp.fc2.weight").T, name + "norm2")
        yield x, None, tensors


def finish(rows, folder):
    pooling = settings(folder, "1_Pooling/config.json")
    vector = rows[0] if pooling.get("pooling_mode_cls_token") else rows.mean(0)
    modules = settings(folder, "modules.json")
    if not modules or any(module["type"].endswith("Normalize") for module in modules):
        vector = vector / np.linalg.norm(vector)
    return vector.tolist()


def embed(folder, texts):
    encodings = [tokenizer(folder).encode(text) for text in texts]
    run = nomic if settings(folder, "config.json")["model_type"] == "nomic_bert" else bert
    return [finish(rows, folder) for rows, _, _ in run(folder, encodings)]


def score(folder, question):
    tok = tokenizer(folder)
    encodings = [tok.encode(question["query"], text) for text in question["texts"]]
    scores = []
    for rows, pool, tensors in bert(folder, encodings):
        logits = tensors["classifier.weight"] @ pool(rows[0]) + tensors["classifier.bias"]
        scores.append(float(logits[0]))
    return scores


def session(file, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def batched(tok, sess, folder, texts):
    """As our own: longest first, eight at a time."""
    encodings = tok.encode_batch(texts)
    order = sorted(range(len(texts)), key=lambda place: -len(encodings[place].ids))
    vectors = [None] * len(texts)
    for start in range(0, len(order), 8):
        batch = order[start : start + 8]
        longest = len(encodings[batch[0]].ids)
        inputs = {name: np.zeros((len(batch), longest), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        for row, place in enumerate(batch):
            ids = encodings[place].ids
            inputs["input_ids"][row, : len(ids)] = ids
            inputs["attention_mask"][row, : len(ids)] = 1
        output = sess.run(["last_hidden_state"], inputs)[0]
        for row, place in enumerate(batch):
            vectors[place] = finish(output[row, : len(encodings[place].ids)].astype(np.float64), folder)
    return vectors


def speed(folder, file, threads, given):
    tok, sess = tokenizer(folder), session(file, threads)
    texts, whole, single = given["texts"], [], []
    for _ in range(given["rounds"]):
        start = time.perf_counter()
        batched(tok, sess, folder, texts)
        whole.append(time.perf_counter() - start)
    for question in given["questions"]:
        start = time.perf_counter()
        batched(tok, sess, folder, [question])
        single.append(time.perf_counter() - start)
    return {"texts_per_second": len(texts) / min(whole), "query_ms": sorted(single)[len(single) // 2] * 1000}


def tiny(folder, kind):
    """A random model whose tokenizer splits at blanks and knows 64 words."""
    from safetensors.numpy import save_file
    from tokenizers import models, pre_tokenizers, processors

    random = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + [f"w{n}" for n in range(60)]
    tok = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tok.pre_tokenizer = pre_tokenizers.Whitespace()
    pair = "[CLS] $A [SEP] $B:1 [SEP]:1"
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tok.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 40}))
    hidden, heads, inner, layers = 24, 3, 40, 3

    def table(*shape):
        return random.normal(0, 0.4, shape).astype(np.float32)

    tensors = {"embeddings.word_embeddings.weight": table(64, hidden), "embeddings.token_type_embeddings.weight": table(2, hidden)}

    def linear(name, outputs, inputs, bias):
        tensors[name + ".weight"] = table(outputs, inputs)
        if bias:
            tensors[name + ".bias"] = table(outputs)

    def normed(name):
        tensors[name + ".weight"], tensors[name + ".bias"] = 1 + table(hidden), table(hidden)

    if kind == "nomic":
        config = dict(model_type="nomic_bert", vocab_size=64, type_vocab_size=2, n_embd=hidden, n_layer=layers, n_head=heads)
        config |= dict(n_inner=inner, n_positions=80, max_trained_positions=48, layer_norm_epsilon=1e-12)
        config |= dict(activation_function="swiglu", rotary_emb_fraction=1.0, rotary_emb_base=1000, prenorm=False)
        normed("emb_ln")
        for layer in range(layers):
            name = f"encoder.layers.{layer}."
            linear(name + "attn.Wqkv", 3 * hidden, hidden, False)
            linear(name + "attn.out_proj", hidden, hidden, False)
            linear(name + "mlp.fc11", inner, hidden, False)
            linear(name + "mlp.fc12", inner, hidden, False)
            linear(name + "mlp.fc2", hidden, inner, False)
            normed(name + "norm1")
            normed(name + "norm2")
    else:
        config = dict(model_type="bert", vocab_size=64, type_vocab_size=2, hidden_size=hidden, num_hidden_layers=layers)
        config |= dict(num_attention_heads=heads, intermediate_size=inner, max_position_embeddings=40, layer_norm_eps=1e-12)
        config |= dict(hidden_act="gelu", architectures=["BertForSequenceClassification"])
        tensors["embeddings.position_embeddings.weight"] = table(40, hidden)
        normed("embeddings.LayerNorm")
        for layer in range(layers):
            name = f"encoder.layer.{layer}."
            for part in ("query", "key", "value"):
                linear(f"{name}attention.self.{part}", hidden, hidden, True)
            linear(name + "attention.output.dense", hidden, hidden, True)
            normed(name + "attention.output.LayerNorm")
            linear(name + "intermediate.dense", inner, hidden, True)
            linear(name + "output.dense", hidden, inner, True)
            normed(name + "output.LayerNorm")
        linear("pooler.dense", hidden, hidden, True)
        tensors = {"bert." + name: value for name, value in tensors.items()}
        tensors["classifier.weight"], tensors["classifier.bias"] = table(1, hidden), table(1)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors")


def main(task, folder, *rest):
    folder = Path(folder)
    if task == "tiny":
        return tiny(folder, *rest)
    given = json.load(sys.stdin)
    if task == "embed":
        answer = embed(folder, given)
    elif task == "score":
        answer = score(folder, given)
    elif task == "onnx":
        answer = batched(tokenizer(folder), session(rest[0], 1), folder, given)
    else:
        answer = speed(folder, rest[0], int(rest[1]), given)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
