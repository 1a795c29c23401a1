"""Write the networks as ONNX graphs without weights, for pages that compute without Python.

    pip install onnx==1.23.2 onnxscript==0.7.2
    python data/export_graphs.py [NAME ...]

It writes data/graphs/NAME.step.onnx, and NAME.text.onnx for a network that hears text, of all
networks or of those that are named. The weights are not in it: each is named as in the checkpoint,
where the page takes it from. The same versions of the packages write the same bytes.

step   x_t (B, C, H, W), t (B,) float, and the pooled, tokens and mask of an EncodedText, as far as
       the network takes them -> what it predicts, and the attention weights by their layers' names;
       twins_attention takes shares (B, 4) too, see StepWithChanges
text   vectors (B, 16, 128), word_mask (B, 16) bool, styles (B,) int64, and of a distilled network
       guidance_scale (B,) float -> pooled, tokens, mask, and the attention weights

The pocket Stable Diffusion (pocket.py) is four graphs, with the weights of its own files:

text    ids (B, 20) int64 -> encoded (B, 20, 128), and the attention weights
step    x_t (B, 4, 16, 16), t (B,) float, encoded -> velocity, and the attention weights
encode  pictures (B, 3, 64, 64) -> mean, std (B, 4, 16, 16) of the latent, before it is scaled
decode  latents (B, 4, 16, 16), not scaled any more -> pictures
"""

import ast
import contextlib
import sys
from pathlib import Path
from unittest import mock

import onnx
import onnx_ir
import torch
from einops import rearrange
from onnxscript import optimizer
from torch import nn

from diffusion_helpers import attention, load_checkpoint, pocket, twins, unet
from diffusion_helpers.checkpoints import SHIPPED
from diffusion_helpers.checks import say
from diffusion_helpers.living.files import TWINS
from diffusion_helpers.text import MAX_WORDS, SIZE, EncodedText, Text
from diffusion_helpers.twins import load_twins

OUT = Path(__file__).parent / "graphs"
BATCH = torch.export.Dim("B", min=1, max=64)
OPERATORS = 20  # the version of ONNX's set of operators


class Step(nn.Module):
    """One call of a network, with its text already encoded."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x_t, t=None, pooled=None, tokens=None, mask=None):
        text = () if pooled is None else (EncodedText(pooled, tokens, mask),)
        return self.network(x_t, t, *text)


class StepWithChanges(Step):
    """One call of a network whose attention weights are exchanged as in lesson 06.

    shares (B, 4), of what a picture takes its values with: its own attention weights, those of the
    picture before, the same for all places, the asking place alone. 1, 0, 0, 0 changes nothing.
    """

    def forward(self, x_t, t, shares):
        own, before, even, itself = rearrange(shares, "b four -> four b 1 1 1")

        def change(weights):
            m = weights.shape[-1]
            mixed = own * weights + before * weights.roll(1, dims=0)
            return mixed + even / m + itself * torch.eye(m)

        with attention.changed_attention(change):
            return self.network(x_t, t)


class Listen(nn.Module):
    """The text encoder of a network, for once a prompt; a distilled one is told the scale."""

    def __init__(self, network):
        super().__init__()
        self.text, self.guidance = network.text, network.guidance

    def forward(self, vectors, mask, styles, guidance_scale=None):
        heard = self.text(Text(vectors, mask, styles))
        if guidance_scale is None:
            return tuple(heard)
        return heard.pooled + self.guidance(100 * guidance_scale), heard.tokens, heard.mask


class Part(nn.Module):
    """What `call` does with a part of the pocket Stable Diffusion."""

    def __init__(self, part, call):
        super().__init__()
        self.network, self.call = part, call

    def forward(self, x, t=None, encoded=None):
        return self.call(self.network, *(value for value in (x, t, encoded) if value is not None))


def without_checks():
    """The networks without what looks at numbers, or at how many pictures there are: a graph knows
    neither yet.
    """
    plain = {
        "check_images": lambda x, *_, **__: x,
        "check_mask": lambda mask, *_: mask,
        "expand_t": lambda t, _: t,
        "fast_math": lambda _: contextlib.nullcontext(),
        "len": lambda x: x.shape[0],
    }
    patched = contextlib.ExitStack()
    for module in (unet, twins, attention):
        patched.enter_context(mock.patch.multiple(module, create=True, **plain))
    patched.enter_context(mock.patch.object(EncodedText, "expand_to", lambda text, _: text))
    return patched


def export(module, inputs, outputs):
    """The graph of a module as an onnx.ModelProto; `inputs` is {name: example}."""
    module = module.eval().to(memory_format=torch.contiguous_format)
    with without_checks():
        program = torch.onnx.export(
            module,
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=tuple({0: BATCH} for _ in inputs),
            opset_version=OPERATORS,
            optimize=False,
            verbose=False,
        )
    fixed = [value.name for value in program.model.graph.inputs if isinstance(value.shape[0], int)]
    if fixed:
        raise ValueError(f"the graph would take so many pictures only: {fixed}")
    show_attention(program.model.graph)
    weights = take_weights_out(program.model.graph, [name for name, _ in module.named_parameters()])
    # computes what is constant and small, and so none of the weights
    optimizer.optimize(program.model, output_size_limit=1024)
    model = onnx_ir.serde.serialize_model(program.model)
    forget_origins(model)
    onnx.checker.check_model(model)  # before the weights are gone, which it would look for
    name_weights(model.graph, weights)
    return model


def show_attention(graph):
    """Make the attention weights outputs, named after their layers as in `capture_attention`."""
    for node in graph:
        if node.op_type == "Softmax":
            layer = ast.literal_eval(node.metadata_props["pkg.torch.onnx.name_scopes"])[-2]
            node.outputs[0].name = layer.removeprefix("network.")
            graph.outputs.append(node.outputs[0])


def take_weights_out(graph, names):
    """Turn the weights that a graph uses into inputs of it; returns their names."""
    used = [
        name for name in names if name in graph.initializers and graph.initializers[name].uses()
    ]
    for name in used:
        weight = graph.initializers.pop(name)
        weight.const_value = None
        graph.inputs.append(weight)
    return used


def forget_origins(model):
    """Drop the notes of the exporter: files on the machine that ran it, and the build of torch."""
    model.ClearField("producer_version")
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    graph = model.graph
    for thing in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        thing.doc_string = ""
        del thing.metadata_props[:]


def name_weights(graph, names):
    """Turn those inputs into weights that lie elsewhere, each under its name in the checkpoint."""
    inputs = {value.name: value for value in graph.input}
    for name in names:
        kind = inputs[name].type.tensor_type
        weight = onnx.TensorProto(
            name=name,
            data_type=kind.elem_type,
            dims=[axis.dim_value for axis in kind.shape.dim],
            data_location=onnx.TensorProto.EXTERNAL,
        )
        weight.external_data.add(key="location", value=name.removeprefix("network."))
        graph.initializer.append(weight)
        graph.input.remove(inputs[name])


def graphs(name):
    """{"step": graph} of the network called `name`, with "text" for one that hears text."""
    network = load_twins(TWINS[name], "cpu") if name in TWINS else load_checkpoint(name, "cpu")
    b, made = 2, {}
    inputs = {"x_t": torch.zeros(b, *network.image_shape)}
    if network.time is not None:
        inputs["t"] = torch.zeros(b)
    if network.text is not None:
        width = network.config["text_width"]
        said = {
            "vectors": torch.zeros(b, MAX_WORDS, SIZE),
            "word_mask": torch.ones(b, MAX_WORDS, dtype=torch.bool),
            "styles": torch.zeros(b, dtype=torch.long),
        }
        if network.distilled_steps is not None:
            said["guidance_scale"] = torch.ones(b)
        made["text"] = export(Listen(network), said, ["pooled", "tokens", "mask"])
        inputs["pooled"] = torch.zeros(b, width)
        inputs["tokens"] = torch.zeros(b, 1 + MAX_WORDS, width)
        inputs["mask"] = torch.ones(b, 1 + MAX_WORDS, dtype=torch.bool)
    step = Step
    if name == "twins_attention":
        step, inputs["shares"] = StepWithChanges, torch.zeros(b, 4)
    made["step"] = export(step(network), inputs, [network.predicts])
    return made


def pocket_graphs():
    """The four graphs of the pocket Stable Diffusion, by the names of what they do."""
    pipe, b = pocket.load_pocket("cpu"), 2
    ids, encoded = torch.zeros(b, 20, dtype=torch.long), torch.zeros(b, 20, 128)
    x_t, pictures = torch.zeros(b, 4, 16, 16), torch.zeros(b, 3, 64, 64)
    text = nn.ModuleDict({"text_model": pipe.text_encoder})  # as its file names the weights

    def step(unet, x_t, t, encoded):
        return unet(x_t, t, encoded).sample

    def encode(vae, pictures):
        latents = vae.encode(pictures).latent_dist
        return latents.mean, latents.std

    return {
        "text": export(
            Part(text, lambda text, ids: text["text_model"](ids).last_hidden_state),
            {"ids": ids},
            ["encoded"],
        ),
        "step": export(
            Part(pipe.unet, step),
            {"x_t": x_t, "t": torch.zeros(b), "encoded": encoded},
            ["velocity"],
        ),
        "encode": export(Part(pipe.vae, encode), {"pictures": pictures}, ["mean", "std"]),
        "decode": export(
            Part(pipe.vae, lambda vae, latents: vae.decode(latents).sample),
            {"latents": x_t},
            ["pictures"],
        ),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or [*SHIPPED, *TWINS, "pocket"]:
        for part, model in (pocket_graphs() if name == "pocket" else graphs(name)).items():
            file = OUT / f"{name}.{part}.onnx"
            file.write_bytes(model.SerializeToString(deterministic=True))
            say(f"{file.name}: {file.stat().st_size:,} bytes, {len(model.graph.node)} nodes")
