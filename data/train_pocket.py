"""Train the four parts of the pocket Stable Diffusion, on emoji of 64x64 pixels.

    python data/train_pocket.py autoencoder SECONDS   pictures to latents and back
    python data/train_pocket.py tokenizer             prompts to numbers, built from the captions
    python data/train_pocket.py painter SECONDS       the text encoder and the UNet, together

The parts are stock classes of diffusers and transformers, and
what is written to data/pocket-stable-diffusion/ is read by the stock StableDiffusionPipeline. Each
command may be stopped and started again with the same SECONDS: it goes on from my_runs/. What they
reached: data/README.md.
"""

import argparse
import json

import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import AttnProcessor
from einops import rearrange
from safetensors.torch import load_file, save_file
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from diffusion_helpers import add_noise, load_emoji, pick_device, train
from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say
from diffusion_helpers.denoiser import target
from diffusion_helpers.device import fast_math
from diffusion_helpers.pocket import POCKET, STYLES
from diffusion_helpers.text import Captions
from diffusion_helpers.training import P_DROP_TEXT
from diffusion_helpers.words import load_words

SEED = 0
NAME = 0.7  # how often a picture is shown with its English name
VOCABULARY = 8000  # tokens: most words of the captions whole, everything else in pieces
LONGEST = 20  # tokens of a prompt, with the two that mark its ends
KL = 1e-4  # how much the latents are asked to look like plain noise; more blurs the pictures


class Autoencoder(nn.Module):
    """The stock autoencoder with the few names that `train` asks for."""

    image_shape = (3, 64, 64)

    def __init__(self):
        super().__init__()
        self.config = {
            "down_block_types": ["DownEncoderBlock2D"] * 3,
            "up_block_types": ["UpDecoderBlock2D"] * 3,
            "block_out_channels": [32, 32, 64],
            "layers_per_block": 1,
            "latent_channels": 4,
            "norm_num_groups": 2,  # 16 channels a group: fewer are slow in bf16
            "mid_block_add_attention": False,
            "sample_size": 64,
        }
        self.vae = AutoencoderKL(**self.config).to(memory_format=torch.channels_last)

    @property
    def enter(self):
        return self.vae.encoder.conv_in

    @property
    def leave(self):
        return self.vae.decoder.conv_out


def rebuilding_loss(model, x_0, rows, texts, schedule, generator, shard):
    """Squeeze pictures into latents with a little noise, restore them, count the errors."""
    like = next(model.parameters())
    x_0 = x_0.to(like).contiguous(memory_format=torch.channels_last)
    with fast_math(like):
        latents = model.vae.encode(x_0).latent_dist
        noise = torch.randn(len(rows), *latents.mean.shape[1:], generator=generator)[shard].to(like)
        again = model.vae.decode(latents.mean + latents.std * noise).sample
    surprise = latents.kl().mean() / latents.mean[0].numel()
    return F.mse_loss(again.float(), x_0) + KL * surprise


def train_autoencoder(wish):
    torch.manual_seed(SEED)
    model = Autoencoder().to(pick_device())
    run = train(
        model,
        load_emoji(64).training(),
        seconds=wish.seconds,
        seed=SEED,
        batch=16,  # measured: after 90 seconds 3 dB better than batches of 32
        checkpoint="my_runs/pocket_autoencoder_training.safetensors",
        reports=max(10, round(wish.seconds / 300)),
        loss_fn=rebuilding_loss,
    )
    if run.finished:
        vae = model.vae.eval()
        vae.register_to_config(scaling_factor=1.0)
        spread = latents_of(vae, load_emoji(64).training().images).std().item()
        vae.register_to_config(scaling_factor=round(1 / spread, 4))
        vae.save_pretrained(POCKET / "vae")


# ---- the tokenizer ------------------------------------------------------------------------------


def captions(emoji):
    """For each picture its captions and how often each is drawn; "" teaches guidance's half."""
    texts, shares = [], []
    for name, name_ru, keywords, keywords_ru, style in zip(
        emoji.names, emoji.names_ru, emoji.keywords, emoji.keywords_ru, emoji.styles, strict=True
    ):
        rest = [*keywords, *keywords_ru] or [name]
        named = [(name, NAME), (name_ru, (1 - NAME) / 2)]
        named += [(word, (1 - NAME) / 2 / len(rest)) for word in rest]
        several = [("", P_DROP_TEXT)]
        for text, share in named:
            several += [(f"{text}, {style}", 0.85 * (1 - P_DROP_TEXT) * share)]
            several += [(text, 0.15 * (1 - P_DROP_TEXT) * share)]
        texts.append([text for text, _ in several])
        shares.append([share for _, share in several])
    return texts, shares


def make_tokenizer():
    """Byte pairs learned from the captions (arXiv 1508.07909), written as CLIP's are.

    The numbers of a few rare pieces differ from run to run, and a painter knows only the tokenizer
    that it was trained with: so an existing one is never replaced.
    """
    folder = POCKET / "tokenizer"
    if (folder / "vocab.json").exists():
        say(f"{folder} is there: delete it, the painter and its training to begin anew")
        return
    alphabet = sorted(ByteLevel.alphabet())  # 256 signs, so that any text at all can be spelled
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
    )
    core = CLIPTokenizer().backend_tokenizer  # it brings CLIP's way to cut a prompt into words
    texts, _ = captions(load_emoji(64))
    core.train_from_iterator(sorted({t for several in texts for t in several}), trainer)
    learned = json.loads(core.to_str())["model"]
    vocabulary = learned["vocab"]
    for sign in alphabet:  # each sign may also end a word
        vocabulary.setdefault(sign + "</w>", len(vocabulary))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    merges = ["#version: 0.2", *(" ".join(pair) for pair in learned["merges"])]
    (folder / "merges.txt").write_text("\n".join(merges) + "\n", "utf-8")
    about = {"tokenizer_class": "CLIPTokenizer", "model_max_length": LONGEST}
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")


class Spells:
    """What Captions asks of a word table, answered by the tokenizer: numbers of tokens, padded."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def row_numbers(self, prompt):
        padded = {"padding": "max_length", "truncation": True, "max_length": LONGEST}
        return self.tokenizer(prompt, **padded).input_ids

    def text(self, row_numbers, styles):
        return row_numbers


# ---- the painter --------------------------------------------------------------------------------


class Painter(nn.Module):
    """The stock text encoder and the stock UNet, trained together on latents."""

    image_shape = (4, 16, 16)
    predicts = "velocity"

    def __init__(self, vocabulary):
        super().__init__()
        text = {
            "vocab_size": vocabulary,
            "hidden_size": 128,
            "intermediate_size": 512,
            "projection_dim": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": LONGEST,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 1,
        }
        unet = {
            "sample_size": 16,
            "block_out_channels": [64, 128, 128],  # narrow where pictures are large
            "down_block_types": ["DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"],
            "layers_per_block": 1,
            "norm_num_groups": 4,  # 16 channels a group or more: fewer are slow in bf16
            "cross_attention_dim": 128,
            "attention_head_dim": [2, 4, 4],  # heads, whatever its name says
            "resnet_time_scale_shift": "scale_shift",
            "addition_embed_type": "text",  # the second door of lesson 07: the whole spell
            "addition_embed_type_num_heads": 4,
        }
        self.config = {"text": text, "unet": unet}
        # the fused attention is many times slower backwards in bf16 on a CPU: the plain one here
        self.text_encoder = CLIPTextModel(CLIPTextConfig(**text, attn_implementation="eager"))
        self.unet = UNet2DConditionModel(**unet).to(memory_format=torch.channels_last)
        self.unet.set_attn_processor(AttnProcessor())

    @property
    def enter(self):
        return self.unet.conv_in

    @property
    def leave(self):
        return self.unet.conv_out


def painting_loss(model, x_0, rows, texts, schedule, generator, shard):
    """Lesson 03's lesson, on latents: what was the velocity, when this was the prompt?"""
    like = next(model.parameters())
    t = torch.randint(len(schedule), (len(rows),), generator=generator)[shard]
    eps = torch.randn(len(rows), *x_0.shape[1:], generator=generator)[shard]
    tokens = texts.sample_captions(rows, generator)[shard].to(like.device)
    x_0, eps = x_0.to(like), eps.to(like)
    x_t = add_noise(x_0, t, eps, schedule).contiguous(memory_format=torch.channels_last)
    with fast_math(x_t):
        spell = model.text_encoder(tokens).last_hidden_state
        guess = model.unet(x_t, t.to(like.device), spell).sample
    return F.mse_loss(guess.float(), target(model.predicts, x_0, eps, t, schedule))


@torch.no_grad()
def latents_of(vae, pictures):
    """Pictures as the painter sees them: latents (N, 4, 16, 16) with standard deviation 1."""
    means = [vae.encode(batch).latent_dist.mean for batch in pictures.split(100)]
    return torch.cat(means) * vae.config.scaling_factor


def start_from_words(embedding, tokenizer):
    """A token that is a whole word begins with the meaning the word table gives it."""
    words = load_words()
    table = F.normalize(words.vectors, dim=1) * embedding.weight.norm(dim=1).mean()
    for token, number in tokenizer.get_vocab().items():
        word = tokenizer.decode([number]).strip()
        if token.endswith("</w>") and word in words:
            embedding.weight.data[number] = table[words.rows[word]]


def round_weights(model):
    """Weights with 8 bits of their own in files of 16: they compress to half the size in git."""
    for weight in model.parameters():
        if weight.ndim >= 2:
            rows = rearrange(weight.data, "row ... -> row (...)")
            step = torch.exp2(
                (rows.abs().amax(1, keepdim=True) / 127).clamp(min=1e-12).log2().ceil()
            )
            weight.data = (rows / step).round().mul(step).reshape(weight.shape)


def train_painter(wish):
    torch.manual_seed(SEED)
    tokenizer = CLIPTokenizer.from_pretrained(POCKET / "tokenizer")
    vae = AutoencoderKL.from_pretrained(POCKET / "vae", use_safetensors=True).eval()
    emoji = load_emoji(64).training()
    emoji = emoji.where(torch.tensor([style in STYLES for style in emoji.styles]))
    texts, shares = captions(emoji)
    model = Painter(len(tokenizer))
    start_from_words(model.text_encoder.get_input_embeddings(), tokenizer)
    model.to(pick_device())
    run = train(
        model,
        latents_of(vae, emoji.images),
        seconds=wish.seconds,
        texts=Captions(Spells(tokenizer), texts, [None] * len(texts), shares),
        seed=SEED,
        batch=128,
        checkpoint="my_runs/pocket_painter_training.safetensors",
        reports=max(10, round(wish.seconds / 300)),
        loss_fn=painting_loss,
    )
    if run.finished:
        save(model, vae, tokenizer)


def name_weights_for_all_versions(file):
    """transformers 5 writes the names without their first part, which transformers 4 needs."""
    weights = load_file(file)
    save_file({f"text_model.{n}": w for n, w in weights.items()}, file, {"format": "pt"})


def save(model, vae, tokenizer):
    """All parts in one folder, in the format of diffusers, as safetensors."""
    round_weights(model)
    scheduler = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        clip_sample=False,
        timestep_spacing="trailing",
        steps_offset=1,
    )
    # transformers keeps the number format of the file, diffusers computes in 32 bits
    parts = {"vae": vae.half(), "unet": model.unet.half(), "text_encoder": model.text_encoder}
    parts["scheduler"] = scheduler
    pipe = StableDiffusionPipeline(
        **parts,
        tokenizer=tokenizer,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for name, part in parts.items():
        part.save_pretrained(POCKET / name)
    name_weights_for_all_versions(POCKET / "text_encoder" / "model.safetensors")
    pipe.save_config(POCKET)  # model_index.json: which class reads which folder


def main():
    parser = argparse.ArgumentParser()
    parts = parser.add_subparsers(required=True)
    for part, work in (("autoencoder", train_autoencoder), ("painter", train_painter)):
        command = parts.add_parser(part)
        command.add_argument("seconds", type=commands.seconds)
        command.set_defaults(work=work)
    parts.add_parser("tokenizer").set_defaults(work=lambda wish: make_tokenizer())
    wish = parser.parse_args()
    wish.work(wish)


if __name__ == "__main__":
    main()
